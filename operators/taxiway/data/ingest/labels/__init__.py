"""Labels of people: joined to the rows of a source that lack them."""
