"""The org as a CrowdSec Local API: what bouncers are told, in the words they know."""
