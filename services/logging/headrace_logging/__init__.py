"""The log service: takes batches of records and answers queries over them."""
