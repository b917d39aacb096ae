"""The verbs a link may name."""

from tocsin.okta.models.word import Word

__all__ = ["HttpMethod"]


class HttpMethod(Word):
    """A verb that a link allows."""

    DELETE = "DELETE"
    GET = "GET"
    POST = "POST"
    PUT = "PUT"
