"""What speaks to a place where people work, with its own credentials, rate limits and clock."""
