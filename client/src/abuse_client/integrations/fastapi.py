"""FastAPI: what Starlette's integration has, as dependencies.

```python
abuse = FastApiAbuse(AsyncAbuseClient(), trust=trust("vercel", ["10.0.0.0/8"]))
abuse.install(app)
Admitted = Annotated[Passage, Depends(abuse.guarding(current_user_id))]


@app.post("/v1/chat/completions")
async def chat(body: Chat, passage: Admitted): ...
```
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Depends
from starlette.requests import Request

from abuse_client.gateway.passage import Passage
from abuse_client.integrations.starlette import AsyncClient, RefusedRequest, StarletteAbuse

__all__ = ["AsyncClient", "FastApiAbuse", "RefusedRequest"]


class FastApiAbuse(StarletteAbuse):
    """The client and the guard for the routes of a FastAPI application."""

    def guarding(self, user: Callable[..., Any], **fields: Any) -> Callable[..., Awaitable[Passage]]:
        """A dependency that lets only judged requests into its route, and gives the route their `Passage`.

        ``user`` is the dependency that returns the id of who is signed in, or ``None``; ``fields`` are further ones of
        the contract that hold for every request of the route.
        """

        async def admitted(request: Request, kilo_user_id: Annotated[str | None, Depends(user)]) -> Passage:
            return await self.admit(request, kilo_user_id=kilo_user_id, **fields)

        return admitted
