"""Reading the gateway's request log: its files, and the rows of the requests and predictions in them."""
