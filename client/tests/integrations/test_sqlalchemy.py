"""Events leave after the commit of a session and never after a rollback, savepoints included."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from abuse_client import events
from abuse_client.testing import RecordingClient

sqlalchemy = pytest.importorskip("sqlalchemy")

from sqlalchemy import orm  # noqa: E402

from abuse_client.integrations.sqlalchemy import AfterCommit  # noqa: E402


class Base(orm.DeclarativeBase):
    pass


class Note(Base):
    __tablename__ = "notes"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    text: orm.Mapped[str] = orm.mapped_column(sqlalchemy.String(50), unique=True)


def event(name):
    return events.user_deleted(kilo_user_id=name)


@pytest.fixture
def engine(tmp_path):
    made = sqlalchemy.create_engine(f"sqlite:///{tmp_path / 'notes.db'}")
    # So that SQLite has real savepoints: the driver would begin and commit by its own ideas.
    sqlalchemy.event.listen(made, "connect", lambda connection, _: setattr(connection, "isolation_level", None))
    sqlalchemy.event.listen(made, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    Base.metadata.create_all(made)
    yield made
    made.dispose()


@pytest.fixture
def client():
    return RecordingClient()


@pytest.fixture
def after_commit(client):
    return AfterCommit(client)


def reported(client):
    return [one["data"]["kilo_user_id"] for one in client.events]


def test_event_leaves_after_commit(engine, client, after_commit):
    """Nothing leaves while the transaction is open, everything in order once it is committed, and once only."""
    with orm.Session(engine) as session:
        session.add(Note(text="a"))
        after_commit.report_events(session, [event("a"), event("b")])
        session.flush()
        assert reported(client) == []
        session.commit()
        assert reported(client) == ["a", "b"]
        session.add(Note(text="b"))
        session.commit()
    assert reported(client) == ["a", "b"]


def test_sign_in_leaves_after_commit(engine, client, after_commit):
    """A sign-up is reported when the account is there."""
    with orm.Session(engine) as session:
        sign_up = {"kilo_user_id": "u", "event_type": "signup", "email": "u@example.com"}
        after_commit.report_auth_event(session, sign_up)
        client.assert_nothing_reported()
        session.commit()
    client.assert_signed_up(times=1)


@pytest.mark.parametrize("flushes", [False, True])
@pytest.mark.parametrize("end", ["rollback", "close"])
def test_rollback_takes_event(engine, client, after_commit, flushes, end):
    """A rollback takes the event with it, and so does closing, even when no statement was sent before."""
    session = orm.Session(engine)
    if flushes:
        session.add(Note(text="a"))
        session.flush()
    after_commit.report_event(session, event("a"))
    session.rollback() if end == "rollback" else session.close()
    session.add(Note(text="b"))
    after_commit.report_event(session, event("b"))
    session.commit()
    session.close()
    assert reported(client) == ["b"]


def test_failed_commit_reports_nothing(engine, client, after_commit):
    """When the database refuses the commit nothing leaves, then or later."""
    with orm.Session(engine) as session:
        session.add(Note(text="same"))
        session.commit()
        session.add(Note(text="same"))
        after_commit.report_event(session, event("refused"))
        with pytest.raises(sqlalchemy.exc.IntegrityError):
            session.commit()
        session.rollback()
        session.add(Note(text="other"))
        session.commit()
    assert reported(client) == []


def test_savepoint_takes_its_own_only(engine, client, after_commit):
    """A savepoint that is rolled back takes its events, and leaves those around it and of its siblings."""
    with orm.Session(engine) as session:
        after_commit.report_event(session, event("outer"))
        with session.begin_nested():
            after_commit.report_event(session, event("kept"))
        with session.begin_nested() as savepoint:
            after_commit.report_event(session, event("lost"))
            with session.begin_nested():
                after_commit.report_event(session, event("lost with it"))
            savepoint.rollback()
        assert reported(client) == []
        session.commit()
    assert reported(client) == ["outer", "kept"]


STEPS = st.lists(st.sampled_from(["report", "begin", "release", "undo", "commit", "rollback"]), max_size=25)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_events_are_the_rows_that_stand(engine, steps):
    """Whatever is begun, released, undone, committed and rolled back: reported is exactly what the table holds."""
    client = RecordingClient()
    after_commit = AfterCommit(client)
    with orm.Session(engine) as session:
        session.execute(sqlalchemy.delete(Note))
        session.commit()
        for number, step in enumerate(steps):
            savepoint = session.get_nested_transaction()
            if step == "report":
                session.add(Note(text=f"n{number}"))
                after_commit.report_event(session, event(f"n{number}"))
            elif step == "begin":
                session.begin_nested()
            elif step == "release" and savepoint:
                savepoint.commit()
            elif step == "undo" and savepoint:
                savepoint.rollback()
            elif step == "commit":
                session.commit()
            elif step == "rollback":
                session.rollback()
    with orm.Session(engine) as session:
        standing = session.scalars(sqlalchemy.select(Note.text).order_by(Note.id)).all()
    assert sorted(reported(client)) == sorted(standing)


def test_scoped_session_serves(engine, client, after_commit):
    """A scoped session is the session of this thread."""
    scoped = orm.scoped_session(orm.sessionmaker(engine))
    scoped.add(Note(text="a"))
    after_commit.report_event(scoped, event("a"))
    scoped.commit()
    scoped.remove()
    assert reported(client) == ["a"]


async def test_async_session_serves(tmp_path, client, after_commit):
    """An asyncio session reports after its commit and not after its rollback."""
    pytest.importorskip("aiosqlite")
    pytest.importorskip("greenlet")
    from sqlalchemy.ext import asyncio as asyncio_ext

    engine = asyncio_ext.create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'notes.db'}")
    async with asyncio_ext.AsyncSession(engine) as session:
        await session.run_sync(lambda sync: Base.metadata.create_all(sync.connection()))
        after_commit.report_event(session, event("kept"))
        await session.commit()
        after_commit.report_event(session, event("lost"))
        await session.rollback()
    await engine.dispose()
    assert reported(client) == ["kept"]


def test_other_things_are_no_session(after_commit):
    """Something that is no session is refused where it is handed over."""
    with pytest.raises(TypeError, match="session: found int"):
        after_commit.report_event(5, event("a"))
