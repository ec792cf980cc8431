"""What every handler finds in the application, by typed keys."""

import redis.asyncio
from aiohttp import web

from tracker import config, db, seal, sites

SETTINGS: web.AppKey[config.Settings] = web.AppKey("settings", config.Settings)
POOL: web.AppKey[db.Pool] = web.AppKey("pool")
REDIS: web.AppKey[redis.asyncio.Redis] = web.AppKey("redis", redis.asyncio.Redis)
DIRECTORY: web.AppKey[sites.Directory] = web.AppKey("directory", sites.Directory)
SEAL: web.AppKey[seal.Seal] = web.AppKey("seal", seal.Seal)
