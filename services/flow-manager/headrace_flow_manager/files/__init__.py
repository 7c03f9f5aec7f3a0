"""Contents that users upload and components make."""
