from enum import Enum

class ProxyLocation(str, Enum):
    Disabled = ...
