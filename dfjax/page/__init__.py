"""The page: what a visitor of the app sees, and the API endpoint beside it."""
