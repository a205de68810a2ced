from limner.client import AsyncClient as AsyncClient
from limner.client import Client as Client

__version__: str
