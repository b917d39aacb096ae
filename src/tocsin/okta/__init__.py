"""The SDK of the risk events and risk providers pages: a sync and an async client over one core.

Importing it is cheap: what talks to the network is imported by the first call.
"""

from tocsin.okta.api import AsyncRiskEventApi, AsyncRiskProviderApi, RiskEventApi, RiskProviderApi
from tocsin.okta.api_client import ApiClient, AsyncApiClient
from tocsin.okta.api_response import ApiResponse
from tocsin.okta.configuration import Configuration
from tocsin.okta.exceptions import (
    ApiAttributeError,
    ApiException,
    ApiKeyError,
    ApiTypeError,
    ApiValueError,
    BadRequestException,
    ConflictException,
    ConnectionException,
    ConnectionLostException,
    ForbiddenException,
    InsecureHostError,
    InvalidInstance,
    MissingScopeException,
    NotFoundException,
    OpenApiException,
    RedirectException,
    ServiceException,
    TimeoutException,
    TlsException,
    TokenException,
    TooManyRequestsException,
    UnauthorizedException,
    UnexpectedAnswerException,
    UnprocessableEntityException,
)
from tocsin.okta.headers import Headers
from tocsin.okta.models import (
    HrefObjectHints,
    HrefObjectSelfLink,
    HttpMethod,
    LinksSelf,
    RiskEvent,
    RiskEventSubject,
    RiskEventSubjectRiskLevel,
    RiskProvider,
    RiskProviderAction,
)
from tocsin.okta.rate_limit import RateLimit
from tocsin.okta.rest import RESTResponse
from tocsin.okta.tokens import AsyncTokenSource, TokenSource

__all__ = [
    "ApiAttributeError",
    "ApiClient",
    "ApiException",
    "ApiKeyError",
    "ApiResponse",
    "ApiTypeError",
    "ApiValueError",
    "AsyncApiClient",
    "AsyncRiskEventApi",
    "AsyncRiskProviderApi",
    "AsyncTokenSource",
    "BadRequestException",
    "Configuration",
    "ConflictException",
    "ConnectionException",
    "ConnectionLostException",
    "ForbiddenException",
    "Headers",
    "HrefObjectHints",
    "HrefObjectSelfLink",
    "HttpMethod",
    "InsecureHostError",
    "InvalidInstance",
    "LinksSelf",
    "MissingScopeException",
    "NotFoundException",
    "OpenApiException",
    "RESTResponse",
    "RateLimit",
    "RedirectException",
    "RiskEvent",
    "RiskEventApi",
    "RiskEventSubject",
    "RiskEventSubjectRiskLevel",
    "RiskProvider",
    "RiskProviderAction",
    "RiskProviderApi",
    "ServiceException",
    "TimeoutException",
    "TlsException",
    "TokenException",
    "TokenSource",
    "TooManyRequestsException",
    "UnauthorizedException",
    "UnexpectedAnswerException",
    "UnprocessableEntityException",
]
