"""`/livez` and `/readyz`: what an orchestrator asks. Open to all; what is wrong is told to whoever has the token."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from citebot.admin.metrics import may_read
from citebot.app.readiness import Readiness


def probes(readiness: Readiness, *, token: str) -> list[Route]:
    """The routes; without a token only this machine can reach them, and is told."""

    async def livez(request: Request) -> Response:
        return JSONResponse({"live": True})  # the loop turns: nothing else can be mended by a restart

    async def readyz(request: Request) -> Response:
        problems = list(await readiness.problems())
        told = {"problems": problems if not token or may_read(request, token) else len(problems)}
        ready = await readiness.ready()
        return JSONResponse({"ready": ready, **told}, status_code=200 if ready else 503)

    return [Route("/livez", livez), Route("/readyz", readyz)]
