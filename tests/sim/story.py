"""A random story: a fleet, its people, its servers and their bad days, drawn from one seed.

Phases: faults → no faults → everything must be as wanted within settle + 3 passes → quiet.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial

from reconciler.core.body import derived_seed
from reconciler.core.file_marks import file_name
from reconciler.core.job import Marks
from reconciler.core.looks import SECONDS_BETWEEN
from reconciler.engine.apply import Patience
from reconciler.engine.daemon import Pace
from reconciler.engine.probe_ending import SECONDS_BETWEEN_ENDS
from tests.sim.chance import Chance, by_kind
from tests.sim.checkout import DAMAGES, ELSEWHERE, JobWish, Wish
from tests.sim.disk import Copy
from tests.sim.engine import Process
from tests.sim.liveness import l1_converges
from tests.sim.oracles import judge
from tests.sim.server import DEADLINE, FLEET, PROBES, SimJob
from tests.sim.world import REAL, Program, SimWorld, Site

_NAMES = ("a", "b", "c")
_PROCESS_LIMIT = 14
# Of eight seeds that one has a server which drops marks and returns training files.
_BY_FILE = 5
# Of five seeds that one has a fleet that may not cost more than so much.
_LIMITED = 2
# Of seven seeds that one has people who ask what the server returns, with a probe.
_PROBING = 3


@dataclass(frozen=True)
class Ending:
    """What one schedule came to; plain values, so that workers can hand it over."""

    seed: int
    violations: tuple[tuple[str, str], ...]
    virtual_seconds: float
    crashes: int
    unknown: int
    creates: int
    cancels: int
    processes: int
    faults: Counter[str]
    trace: tuple[str, ...]
    struck: tuple[tuple[int, str, str], ...]


def play(seed: int, *, program: Program = REAL, without: frozenset[int] = frozenset(), trace: bool = False) -> Ending:
    """One schedule from beginning to end."""
    story = _Story(seed, program, without, trace=trace)
    try:
        story.play()
        return story.ending(seed)
    finally:
        story.world.close()


def play_all(seeds: Iterable[int]) -> list[Ending]:
    """Their endings: a piece of work for one of several workers."""
    return [play(seed) for seed in seeds]


class _Story:
    def __init__(self, seed: int, program: Program, without: frozenset[int], *, trace: bool) -> None:
        chance = self.chance = Chance(seed, without)
        settle = chance.pick((20.0, 30.0, 60.0))
        room = settle - DEADLINE - 0.5
        # Without marks a second state directory cannot know the first one's job: one site, and it is never lost.
        self.echoes = not chance.happens(0.06) and seed % 8 != _BY_FILE
        # Nor a server that shows training files, where a manifest sets the seed: an older one was told to nobody else.
        self.by_file, self.sets_seeds = seed % 8 == _BY_FILE, seed % 16 == _BY_FILE or self.echoes
        self.keeps = self.echoes or (self.by_file and not self.sets_seeds)
        lag = chance.between(0.0, room)
        self.world = SimWorld(
            chance,
            settle=settle,
            lag=lag,
            late=room - lag,
            echoes=self.echoes,
            returns_files=self.by_file,
            sites=2 if self.keeps and chance.happens(0.3) else 1,
            program=program,
            trace=trace,
        )
        self.engine = self.world.engine
        self.server = self.world.server
        self.concurrent = chance.happens(0.3)
        self.horizon = chance.pick((300.0, 1200.0, 7200.0))
        self.rate = chance.pick((0.0, 0.01, 0.03, 0.1, 0.25))
        chance.crashes = chance.pick((0.2, 1.0, 1.0))
        chance.focus = chance.pick(("", "", "list", "retrieve", "cancel", "create", "journal", "status write"))
        self.server.cancel_delay = chance.pick((0.0, 0.0, 5.0))
        self.server.newest_first = seed % 4 > 0
        self.server.get_lags = chance.happens(0.3)
        self.server.returns_seeds = not self.by_file or seed % 64 != _BY_FILE + 8
        self.world.slow = chance.happens(0.08)
        self.server.lives = [self._life() for _ in range(3)]
        self._some_train_by_preferences(seed)
        # Drawn apart, so that every other story stays what it was.
        self.max_cost = random.Random(f"cost {seed}").choice((1.0, 2.0, 2.5)) if seed % 5 == _LIMITED else None
        # Drawn apart, as well, so that every other story stays what it was.
        self.apart = random.Random(f"pause {seed}")
        self.pausing = seed % 5 == 2
        self.server.pauses = not self.pausing or self.apart.random() < 0.8
        # Drawn apart, too.
        self.probing = random.Random(f"probe {seed}") if seed % 7 == _PROBING else None
        self.pace = Pace(interval=chance.pick((60.0, 300.0)), stability=chance.pick((0.5, 1.0, 5.0)))
        self.watched = [site for site in self.world.sites if chance.happens(0.25)]
        if self.pausing and self.apart.random() < 0.6:
            self.watched = list(self.world.sites)
            chance.focus = self.apart.choice((chance.focus, "pause", "resume"))
        if self.watched:
            self.horizon = min(self.horizon, 1200.0)

    def _some_train_by_preferences(self, seed: int) -> None:
        """At a server that may lose their method; drawn apart, so that every other story stays what it was."""
        apart = random.Random(f"method {seed}")
        preferring = seed % 6 == 1
        self.dpo = frozenset(name for name in _NAMES if preferring and apart.random() < 0.7)
        often = apart.choice((1.0, 1.0, 0.5))
        self.server.loses = lambda: apart.random() < often
        self.server.shown_instead = apart.choice(("", "", "supervised"))

    def _life(self) -> tuple[tuple[float, str], ...]:
        chance = self.chance
        pace = chance.pick((1.0, 10.0, 60.0, 600.0))
        steps = [(pace * 0.5, "queued"), (pace, "running")]
        if chance.happens(0.3):
            steps.append((pace * 1.5, chance.pick(("paused", "wobbling", "pending"))))
        end = chance.pick(("succeeded", "succeeded", "failed", "", ""))
        return (*steps, (pace * chance.between(1.6, 6.0), end)) if end else tuple(steps)

    # ── phases ──

    def play(self) -> None:
        self._foreign_jobs()
        wish = self._first_wish()
        for site in self.world.sites:
            site.checkout.set(wish)
        self._schedule(wish)
        self.chance.on = True
        self.chance.rate = self.rate
        self.engine.run(self.horizon + 3600.0 * bool(len(self.world.sites) > 1)) if self.watched else self.engine.run()
        self._calm()
        self.world.rest()

    def _calm(self) -> None:
        """The faults stop; the last commit stands everywhere; what was damaged is mended."""
        world, chance = self.world, self.chance
        chance.on = False
        for site in world.sites:
            site.checkout.set(self.last)
            self._move_aside(site)
        self.engine.set_clock()
        world.calm()
        if self.watched:
            self._attended()
        if chance.happens(0.3):
            world.round()
            self.engine.now += 600.0

    def _attended(self) -> None:
        """The daemons alone make it right, leave it so, and are asked to stop."""
        world, engine = self.world, self.engine
        engine.run(engine.now + 2 * DEADLINE)  # what was on its way when the faults stopped
        world.server.freeze()
        while any(not p.dead and not p.daemon for site in world.sites for p in (*site.processes, *site.probes)):
            engine.run(engine.now + 60.0)
        for site in self.watched:
            if site.daemon is None or site.daemon.dead:
                world.start_daemon(site, self.pace)
            self._hint(site)
        engine.run(engine.now + world.backoff(self.watched) + world.settle + 2 * self.pace.interval)
        if again := world.backoff(self.watched):  # that a lost create made no job began another
            engine.run(engine.now + again + self.pace.interval)
        for _ in range(len(_NAMES)):
            # A provider that takes its time over a cancel, and `max_active`, make one step of it an interval.
            sent = len(world.server.posts)
            engine.run(engine.now + 1.2 * self.pace.interval)
            if len(world.server.posts) == sent:
                break
        engine.run(engine.now + self._looked_at_by_and_by())
        world.found += [("L1", f"by daemons alone: {text}") for text in l1_converges(world)]
        world.watch_quiet("a daemon's interval", lambda: engine.run(engine.now + 1.2 * self.pace.interval))
        for site in self.watched:
            self._stop(site)
        engine.run()

    def _looked_at_by_and_by(self) -> float:
        """Seconds until a daemon has seen what no pass of its own asks for."""
        jobs, late = self.world.server.jobs.values(), 0.0
        if any(job.gone_at is not None for job in jobs) or any(site.state.paused() for site in self.watched):
            # A complete look shows that a job which had ended is no longer there, and that a lost pause came to nothing.
            late = SECONDS_BETWEEN
        elif any(job.marks and job.marks.fleet == PROBES for job in jobs):
            late = SECONDS_BETWEEN_ENDS  # the end of a probe, which is no job of the fleet's
        return late and late + self.pace.interval

    def _stop(self, site: Site) -> None:
        """SIGTERM."""
        if site.daemon is not None and site.daemon.wakeups is not None and not site.daemon.dead:
            self.engine.say(f"{site.daemon.name} is asked to stop")
            site.daemon.wakeups.stop()

    def _watch(self, site: Site) -> None:
        calm = self.world.calm_at is not None
        if not calm and (site.daemon is None or site.daemon.dead) and len(site.processes) < _PROCESS_LIMIT:
            self.world.start_daemon(site, self.pace)

    def _edit(self, site: Site, wish: Wish) -> None:
        site.checkout.set(wish)
        self._hint(site)

    def _hint(self, site: Site) -> None:
        """A file event, where it is not lost."""
        if site.daemon is not None and site.daemon.wakeups is not None and self.chance.happens(0.7):
            site.daemon.wakeups.hint()

    def _mend(self, site: Site) -> None:
        site.checkout.mend()
        self._hint(site)

    # ── what people and the world do ──

    def _foreign_jobs(self) -> None:
        """Jobs that are not ours: unmarked, or another fleet's of the same name."""
        for _ in range(self.chance.pick((0, 0, 1, 2))):
            marks = self.chance.pick((None, Marks("fleet-2", "a", "1" * 16, 1), Marks("fleet-10", "b", "2" * 16, 1)))
            body: dict[str, object] = {"model": "m", "suffix": "a"}
            if self.by_file and marks is not None:
                # By the same program, run for another fleet: its metadata is dropped as ours is.
                file_id = f"file-of-{marks.fleet}"
                body |= {"training_file": file_id, "seed": derived_seed(marks)}
                self.server.files[file_id] = (file_name(marks), 1, "")
            self.server.make(body, marks, 0.0)

    def _first_wish(self) -> Wish:
        chance = self.chance
        wish = Wish(max_active=chance.pick((None, None, None, 1, 2)), max_cancels=chance.pick(("100%", "100%", "30%")))
        wish = replace(wish, max_cost=self.max_cost)
        for name in _NAMES[: chance.pick((1, 1, 2, 3))]:
            wish = wish.having(name, self._job(name, wish))
        return wish

    def _job(self, name: str, wish: Wish) -> JobWish:
        chance = self.chance
        chained = name != "a" and wish.get("a") is not None and chance.happens(0.25)
        return JobWish(
            seed=chance.pick((None, 1, 2)) if self.sets_seeds or not self.by_file else None,
            rerun=chance.pick((0, 1, 2)) if self.by_file and not self.sets_seeds else 0,
            data=chance.pick((0, 0, 1)),
            model_from="a" if chained else None,
            on_change="wait" if chance.happens(0.15) else "replace",
            on_remove="orphan" if chance.happens(0.1) else "cancel",
            on_cancelled="recreate" if chance.happens(0.2) else "hold",
            retries=chance.pick((0, 0, 1, 2)),
            state=self._paused_or(chance.pick(("active",) * 12 + ("suspended", "cancelled"))),
            dpo=name in self.dpo,
        )

    def _paused_or(self, state: str) -> str:
        return "paused" if self.pausing and self.apart.random() < 0.1 else state

    def _turned(self, wish: Wish) -> Wish:
        """Another edit; where jobs are paused, often one that pauses a job or lets it go on."""
        if not wish.jobs or not self.pausing or self.apart.random() < 0.6:
            return self._edited(wish)
        name, job = self.apart.choice(wish.jobs)
        return wish.having(name, replace(job, state="active" if job.state == "paused" else "paused"))

    def _edited(self, wish: Wish) -> Wish:
        chance = self.chance
        name = chance.pick(_NAMES)
        job = wish.get(name)
        if job is not None and chance.happens(0.1):
            return replace(wish, moved=(name, chance.pick(ELSEWHERE).format(name)))
        draw = chance.random.random()
        if job is None:
            return wish.having(name, self._job(name, wish))
        if draw < 0.25:
            return wish.having(name, None)
        if draw < 0.7 and self.by_file and not self.sets_seeds:
            return wish.having(name, replace(job, rerun=chance.pick((0, 1, 2))))
        if draw < 0.7:
            return wish.having(name, replace(job, seed=chance.pick((None, 1, 2))))
        if draw < 0.8:
            return wish.having(name, replace(job, data=chance.pick((0, 1))))
        if draw < 0.85:
            return wish.having(name, replace(job, rerun=job.rerun + 1))
        if draw < 0.88:
            return replace(wish, state=chance.pick(("active", "suspended", "cancelled")))
        if draw < 0.92:
            return replace(wish, state="active")
        return wish.having(name, replace(self._job(name, wish), model_from=job.model_from))

    def _schedule(self, wish: Wish) -> None:
        """Lay out what happens during the faults: edits, damages, cancels, losses and runs."""
        chance, world, engine = self.chance, self.world, self.engine
        self.last = wish
        for _ in range(chance.pick((0, 1, 2, 3, 4, 6)) + 4 * self.pausing):
            self._plan_edit(wish)
        for _ in range(chance.pick((0, 0, 1, 2))):
            self._plan_damage(chance.pick(world.sites))
        for _ in range(chance.pick((0, 0, 0, 1, 2))):
            self._at(self._some_time(), "human cancel", self._human_cancel)
        for _ in range(chance.pick((0, 0, 0, 0, 1)) if self.keeps else 0):
            self._at(self._some_time(), "state directory lost", partial(self._lose, chance.pick(world.sites)))
        for _ in range(chance.pick((0, 0, 0, 0, 1)) if self.keeps else 0):
            self._plan_restore(chance.pick(world.sites))
        if self.keeps and chance.happens(0.05):
            self._plan_corruption(chance.pick(world.sites))
        for _ in range(chance.pick((0, 0, 1, 3))):
            jump = chance.pick((-86400.0, -3600.0, -60.0, 60.0, 3600.0))
            self._at(self._some_time(), "wall clock jumps", partial(self._jump, jump))
        if chance.happens(0.04):
            self._at(self._some_time(), "a job is deleted", self._delete)
        engine.on_end = self._after(engine.on_end)
        for site in world.sites:
            self._plan_runs(site)
        self._plan_colleagues()
        self._plan_probes()

    def _plan_probes(self) -> None:
        """Somebody runs `doctor --probe-create`, perhaps twice at once, perhaps beside an apply."""
        apart = self.probing
        for _ in range(apart.choice((1, 2, 3)) if apart else 0):
            assert apart is not None
            at, site = apart.random() * self.horizon, apart.choice(self.world.sites)
            self._at(at, "doctor", partial(self._probe, site))
            if apart.random() < 0.3:
                self._at(at + apart.choice((0.0, 0.1, 5.0, 60.0)), "doctor", partial(self._probe, site))
            if apart.random() < 0.5:
                self.engine.at(at + apart.choice((0.0, 0.1, 5.0, 60.0)), partial(self._run, site))

    def _probe(self, site: Site) -> None:
        if self.world.calm_at is None:
            self.world.start_probe(site)

    def _plan_colleagues(self) -> None:
        """Somebody trains on our files by hand, where files say whose a job is, or pauses a job."""
        for _ in range(self.apart.choice((0, 1, 2)) if self.pausing and self.server.pauses else 0):
            self._at(self.apart.random() * self.horizon, "human pause", self._human_pause)
        for _ in range(self.chance.pick((0, 1, 2)) if self.by_file else 0):
            self._at(self._some_time(), "a colleague trains on a file of ours", self._colleague)

    def _plan_runs(self, site: Site) -> None:
        """Runs of apply, and a daemon that comes and goes."""
        chance, watched = self.chance, site in self.watched
        if watched:
            self.engine.at(self._some_time() / 4, partial(self._watch, site))
        if watched and chance.happens(0.3):
            self._at(self._some_time(), "SIGTERM", partial(self._stop, site))
            self.engine.at(self._some_time(), partial(self._watch, site))
        for _ in range(chance.pick((0, 1, 2)) if watched else chance.pick((1, 2, 3, 4))):
            self.engine.at(self._some_time(), partial(self._run, site))

    def _some_time(self) -> float:
        return self.chance.random.random() * self.horizon

    def _plan_edit(self, first: Wish) -> None:
        """One commit, which reaches each site when that site pulls; mostly somebody runs apply on it."""
        chance, at = self.chance, self._some_time()
        self.last = first if chance.happens(0.1) else self._turned(self.last)
        for site in self.world.sites:
            behind = 0.0 if len(self.world.sites) == 1 else chance.pick((0.0, 1.0, 600.0, 3600.0))
            self._at(at + behind, "edit", partial(self._edit, site, self.last))
            if self.world.slow:
                self.engine.at(max(0.0, at + behind - chance.between(0.0, 1.0)), partial(self._run, site))
            if chance.happens(0.6):
                when = at + behind + chance.pick((0.0, 0.1, 5.0, 60.0))
                for _ in range(2 if self.concurrent else 1):
                    self.engine.at(when, partial(self._run, site))

    def _plan_damage(self, site: Site) -> None:
        chance, at = self.chance, self._some_time()
        how, number = chance.pick(DAMAGES), chance.random.randrange(1000)
        self._at(at, f"damage: {how}", partial(self._damage, site, how, number))
        if chance.happens(0.5):
            # Just before it: the damage is done between the two readings of a pass.
            self.engine.at(max(0.0, at - chance.pick((0.0, 0.0, 0.1, 0.5))), partial(self._run, site))
        self.engine.at(at + chance.pick((0.2, 1.0, 30.0, 600.0)), partial(self._mend, site))

    def _plan_restore(self, site: Site) -> None:
        """A backup of the state directory, which somebody puts back later."""
        backups: list[Copy] = []
        first, then = sorted((self._some_time(), self._some_time()))
        self.engine.at(first, lambda: backups.append(site.state.copy()))
        self._at(then, "state directory restored", lambda: self._restore(site, backups[0]))
        if self.chance.happens(0.5):
            self.engine.at(then, partial(self._run, site))

    def _plan_corruption(self, site: Site) -> None:
        """A damaged journal, which stays until a person moves it aside."""
        at, number = self._some_time(), self.chance.random.randrange(1000)
        self._at(at, "journal corrupted", partial(self._corrupt, site, number))
        self.engine.at(at, partial(self._run, site))
        self.engine.at(at + self.chance.pick((1.0, 600.0, 7200.0)), partial(self._move_aside, site))

    def _damage(self, site: Site, how: str, number: int) -> None:
        if not site.checkout.odd:
            site.checkout.damage(how, number)
            self._hint(site)

    def _at(self, time: float, what: str, act: Callable[[], object]) -> None:
        """Schedule something that a replay can go without."""
        if self.chance.strike("world", what) is not None:
            self.engine.at(time, act)

    def _run(self, site: Site) -> None:
        if self.world.calm_at is not None:
            return
        busy = any(not p.dead for p in site.processes if not p.daemon)
        if busy and not self.concurrent:
            self.engine.at(self.engine.now + 30.0, partial(self._run, site))
        elif len(site.processes) < _PROCESS_LIMIT:
            wait = self.chance.happens(0.1)
            self.world.start(site, Patience(wait=wait, poll=60.0, timeout=600.0) if wait else Patience())

    def _after(self, before: Callable[[Process], None]) -> Callable[[Process], None]:
        def ended(process: Process) -> None:
            before(process)
            site = next(s for s in self.world.sites if s.name == process.site)
            if self.keeps and self.chance.on and self.chance.happens(0.03):
                # The worst moment: what was just done is remembered nowhere, and may not be listed yet.
                if isinstance(process.found, Copy) and self.chance.happens(0.5):
                    again = partial(self._restore, site, process.found)
                    self._at(self.engine.now, "state directory restored", again)
                else:
                    self._at(self.engine.now, "state directory lost", partial(self._lose, site))
                self.engine.at(self.engine.now + 0.1, partial(self._run, site))
            if (process.result == "crashed" or (process.daemon and process.error)) and self.world.calm_at is None:
                delay = self.chance.pick((0.0, 1.0, 20.0, 300.0))
                start = self._watch if process.daemon else self._run
                self.engine.at(self.engine.now + delay, partial(start, site))

        return ended

    def _human_cancel(self) -> None:
        now = self.engine.now
        self.server.flush()
        live = [j for j in self.server.jobs.values() if j.live(now)]
        if live:
            self.server.human_cancels(self.chance.pick(live))

    def _human_pause(self) -> None:
        now = self.engine.now
        self.server.flush()
        going_on = [j for j in self.server.jobs.values() if j.live(now) and j.paused_by is None]
        if going_on:
            self.server.pause(self.apart.choice(going_on), "human", now)

    def _colleague(self) -> None:
        """Somebody starts a job by hand on a file that we uploaded: without our seed, or with it and a suffix.

        Where nobody remembers what was sent, such a copy is ours by definition.
        """
        self.server.flush()
        ours = [job.body for job in self.server.jobs.values() if job.post is not None]
        files = sorted(self.server.files)
        if not files or not self.server.returns_seeds:
            return
        body = {"model": "m", "training_file": self.chance.pick(files)}
        if ours and not self.keeps and self.chance.happens(0.5):
            copied = self.chance.pick(ours)
            body = {key: copied[key] for key in ("model", "training_file", "seed")} | {"suffix": "by-hand"}
        self.server.make(body, None, self.engine.now).by_hand = True

    def _lose(self, site: Site) -> None:
        """A state directory is deleted, perhaps under a run."""
        site.state.lose()
        self.engine.say(f"the state directory of {site.name} is deleted")

    def _restore(self, site: Site, copy: Copy) -> None:
        """A state directory is replaced by an older copy, perhaps under a run."""
        site.state.restore(copy)
        self.engine.say(f"the state directory of {site.name} is again as it was at {copy.at:.2f}")

    def _corrupt(self, site: Site, number: int) -> None:
        if not site.running and not site.state.corrupt_now:
            site.state.corrupt(number)
            self.engine.say(f"the journal of {site.name} is damaged")

    def _move_aside(self, site: Site) -> None:
        if site.state.corrupt_now:
            self._lose(site)

    def _jump(self, seconds: float) -> None:
        self.engine.wall_offset += seconds
        self.engine.say(f"the wall clock jumps by {seconds:g} s")

    def _delete(self) -> None:
        jobs: list[SimJob] = [j for j in self.server.jobs.values() if j.marks and j.marks.fleet == FLEET]
        if jobs:
            job = self.chance.pick(jobs)
            job.gone_at = self.engine.now
            self.engine.say(f"{job.id} is deleted at the provider")

    def ending(self, seed: int) -> Ending:
        world, chance = self.world, self.chance
        struck = chance.struck
        return Ending(
            seed,
            tuple(judge(world)),
            self.engine.now,
            self.engine.crashes,
            sum(1 for _, kind, what in struck if kind == "create" and what.split(":")[0] in {"unknown", "crash"}),
            sum(1 for p in self.server.posts if p.kind == "create"),
            sum(1 for p in self.server.posts if p.kind == "cancel"),
            sum(len(s.processes) for s in world.sites),
            by_kind(struck),
            tuple(self.engine.trace or ()),
            tuple(struck),
        )
