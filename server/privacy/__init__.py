"""Personal data: whose key is committed to, how a person is erased, and how long what is kept."""
