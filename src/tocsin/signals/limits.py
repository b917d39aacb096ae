"""Limits of the pipe. Source: the risk events and risk providers API pages (D = documented there)."""

EVENTS_PER_REQUEST = 20  # D
SUBJECTS_PER_EVENT = 50  # D
SUBJECTS_PER_REQUEST = EVENTS_PER_REQUEST * SUBJECTS_PER_EVENT
MESSAGE_CHARS = 512  # D
MESSAGE_ALLOWED = r"[a-zA-Z0-9 .\-_]*"  # D: comma, colon, slash and @ are refused
NAME_CHARS = 50  # the page says "less than 50", the OpenAPI document says maxLength 50: 50 is accepted
CLIENT_ID_CHARS = 255  # ours: real ones have 20
PROVIDERS_PER_ORG = 3  # D
DEFAULT_LIFE_S = 24 * 3600  # D: an event without expiresAt expires 24 h after it was consumed
REQUESTS_PER_WINDOW = 30  # D, though the integration guide says 3: a setting wherever it is used
WINDOW_S = 60  # D: opens with the first request, not on the clock minute
MAX_REQUEST_BYTES = 4 * 1024 * 1024  # ours: 1,000 full subjects with every character escaped stay under it
