"""kill -9 of a sweep's driver at random moments; each is then resumed, and must come out as if nothing had been."""

from __future__ import annotations

import itertools
import random
import statistics
import time

from tests.chaos.fault import ALONE, EXTRA, TRIALS
from tests.chaos.place import Place
from tests.chaos.sweep import Sweep
from tests.chaos.truth import different, look, lost, twice


def kills(place: Place, count: int, seed: int) -> int:
    """Kill `count` sweeps, each at a moment of its own; print each and the sum. Returns how many are not as they should
    be. A moment is uniform over the journal: after so many of its lines, and a part of the time to the next."""
    whole = Sweep(place, "kills-whole", extra=list(EXTRA[ALONE]))
    whole.start()
    if whole.wait() or whole.watch is None:
        raise RuntimeError(whole.output())
    whole.watch.look()
    moments = [at for at, _ in whole.watch.seen]
    gap = statistics.median(later - at for at, later in itertools.pairwise(moments))
    reference = look(whole.folder, whole.environment)
    whole.close()
    chance = random.Random(seed)
    bad, complete = 0, 0
    for number in range(count):
        sweep = Sweep(place, f"kill-{number:02d}", extra=list(EXTRA[ALONE]))
        lines, part = divmod(chance.uniform(0, len(moments)), 1)
        try:
            problems = _kill(sweep, int(lines), part * gap)
            truth = look(sweep.folder, sweep.environment)
            problems += [*lost(truth, TRIALS[ALONE]), *twice(truth), *different(truth, reference)]
        except Exception as error:
            problems = [repr(error)]
        finally:
            sweep.close()
        bad += bool(problems)
        complete += not problems
        print(f"{number + 1:3d}: killed after {int(lines)} of {len(moments)} lines and {1000 * part * gap:.0f} ms: "
              f"{'; '.join(problems) or 'complete, the same'}", flush=True)  # fmt: skip
    print(f"{complete} of {count} complete, none lost, none twice, the same champion, bit for bit (seed {seed})")
    return bad


def _kill(sweep: Sweep, lines: int, wait: float) -> list[str]:
    """Start it, kill it when its journal has so many lines and `wait` seconds more have passed, go on to the end."""
    sweep.start()
    end = time.monotonic() + 300
    while len(sweep.watch.seen if sweep.watch else ()) < lines or not (sweep.folder / "sweep.json").exists():
        if not sweep.drivers[-1].running() or time.monotonic() > end:
            return [f"the moment did not come: {sweep.output()[-1000:]}"]
        time.sleep(0.002)
    time.sleep(wait)
    before = sweep.drivers[-1].running()
    sweep.kill()
    sweep.resume()
    code = sweep.wait()
    problems = [f"ended with {code}: {sweep.output()[-1000:]}"] if code else []
    if not before:
        problems.append("it had ended before it was killed")
    return problems + [f"left behind: {title}" for title in sweep.gone()]
