"""The page: what a visitor of the app sees, and its API endpoint."""
