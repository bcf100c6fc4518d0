"""A site has elements with their ratings, and tenants who hold them over dates."""
