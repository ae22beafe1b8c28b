"""The page on which people label the rows of an audit."""
