"""Key-value data that users and flows share."""
