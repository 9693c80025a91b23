from enum import StrEnum

class ProxyLocation(StrEnum):
    Disabled = ...
