"""Files about networks that change while the service runs."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from abuse_service.enrichment.enricher import Enricher
from abuse_service.enrichment.network_sources import NetworkKeeper, NetworkSources
from abuse_service.settings import Settings
from abuse_service.telemetry import Metrics
from abuse_service.wiring import Service

ADDRESS = "8.8.8.8"


def write(path: Path, *rows: str) -> None:
    """Put a new list of networks into the place of the one that is there."""
    draft = path.with_suffix(".draft")
    draft.write_text("\n".join(("network,kind", *rows, "")))
    draft.replace(path)


def keeper_of(path: Path) -> tuple[NetworkKeeper, Enricher, Metrics]:
    """A keeper of one list, as the service begins with it."""
    sources, metrics = NetworkSources(None, [path]), Metrics()
    seen = sources.stamps()
    enricher = Enricher(sources.read())
    return NetworkKeeper(sources, seen, enricher, metrics), enricher, metrics


def kind(enricher: Enricher) -> str:
    """What the data in force say of the address."""
    return enricher.enrich(ADDRESS, None, None).network.kind


def test_new_list_counts_from_the_next_event_on(tmp_path: Path) -> None:
    """A list that was replaced is read again at the next look, what was answered before too, under a new version."""
    path = tmp_path / "own.csv"
    write(path, "8.8.8.0/24,mobile")
    keeper, enricher, metrics = keeper_of(path)
    first = enricher.enrich(ADDRESS, None, None)
    assert asyncio.run(keeper.look()) is False
    write(path, "8.8.8.0/24,hosting")
    assert asyncio.run(keeper.look()) is True
    then = enricher.enrich(ADDRESS, None, None)
    assert (first.network.kind, then.network.kind) == ("mobile", "hosting")
    assert first.version != then.version == enricher.version
    assert f'abuse_offline_data_info{{version="{then.version}"}} 1.0' in metrics.text().decode()
    assert first.version not in metrics.text().decode()


@pytest.mark.parametrize("broken", ["network,kind\nnonsense,hosting\n", 'network,kind\n\0,"\n', "", None])
def test_broken_list_leaves_the_old_one(tmp_path: Path, broken: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    """A list that does not hold together, or is gone, is told once; the data read before stay until a sound one."""
    path = tmp_path / "own.csv"
    write(path, "8.8.8.0/24,mobile")
    keeper, enricher, metrics = keeper_of(path)
    version = enricher.version
    path.unlink()
    if broken is not None:
        path.write_text(broken)
    assert asyncio.run(keeper.look()) is False
    assert (kind(enricher), enricher.version) == ("mobile", version)
    assert "abuse_network_files_refused 1.0" in metrics.text().decode()
    told = "".join(capsys.readouterr())
    assert "own.csv" in told
    assert asyncio.run(keeper.look()) is False
    assert "own.csv" not in "".join(capsys.readouterr())
    write(path, "8.8.8.0/24,hosting")
    assert asyncio.run(keeper.look()) is True
    assert kind(enricher) == "hosting"
    assert "abuse_network_files_refused 0.0" in metrics.text().decode()


def test_touched_list_changes_no_version(tmp_path: Path) -> None:
    """A file of a new time and the same content is read again, and nothing changes."""
    path = tmp_path / "own.csv"
    write(path, "8.8.8.0/24,mobile")
    keeper, enricher, _ = keeper_of(path)
    version = enricher.version
    os.utime(path, (1, 1))
    assert asyncio.run(keeper.look()) is False
    assert enricher.version == version


def test_facts_name_the_data_of_their_time(tmp_path: Path) -> None:
    """Each event keeps what its own data said and their version, before a change and behind it."""
    path = tmp_path / "own.csv"
    write(path, "8.8.8.0/24,mobile")
    service = Service(Settings(data=tmp_path / "data", network_files=(path,)))
    flow = service.flow
    ask = f'{{"kilo_user_id": "u1", "ip_address": "{ADDRESS}"}}'.encode()

    async def story(look: Callable[[], Awaitable[bool]]) -> list[str]:
        await service.start()
        versions = []
        for said in ("mobile", "hosting"):
            write(path, f"8.8.8.0/24,{said}")
            await look()
            await flow.classify(ask, "cloud", may_import=False)
            versions.append(flow.networks_version)
        await flow.event_log.settle()
        await service.stop()
        return versions

    versions = asyncio.run(story(service.networks.look))
    again = Service(Settings(data=tmp_path / "data", network_files=(path,)))
    facts = [stored.event.facts for stored in again.store.read(0) if stored.event.type == "request.classified"]
    again.store.close()
    assert [said and said.network_kind for said in facts] == ["mobile", "hosting"]
    assert [said and said.version.partition("net=")[2] for said in facts] == versions
    assert len(set(versions)) == 2
