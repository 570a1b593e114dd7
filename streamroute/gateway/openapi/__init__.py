"""The OpenAPI document: what the gateway takes and gives, by subject, and the page that serves it."""
