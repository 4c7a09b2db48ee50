"""Parts of the front end on their own, run in the browser against other people's mathematics."""

from __future__ import annotations

from urllib.parse import urlencode

import numpy as np
import pytest


@pytest.fixture
def run(woods, visit):
    """``run("points.js", "({Points}, given) => …", given)``: the answer of a function of a module's exports."""
    page = visit(woods)

    def call(module, function, given=None):
        return page.evaluate(f"async (given) => ({function})(await import('{woods}static/js/{module}'), given)", given)

    return call


def columns(points, family=None, kind=None):
    count = len(points)
    return {
        "names": [f"t{i}" for i in range(count)], "kinds": ["dataset", "model"], "kind": kind or [0] * count,
        "x": [float(x) for x, _ in points], "y": [float(y) for _, y in points], "informative": [1] * count,
        "families": [{"name": "around t0", "size": count}], "family": family or [0] * count,
    }  # fmt: skip


def test_the_dendrogram_is_scipys(run, rng):
    hierarchy = pytest.importorskip("scipy.cluster.hierarchy")
    merges = hierarchy.linkage(rng.standard_normal((9, 3)), "average", optimal_ordering=True)
    drawn = hierarchy.dendrogram(merges, no_plot=True)
    place = np.empty(17, dtype=int)
    place[drawn["leaves"]] = np.arange(9)
    place[9:] = np.arange(9, 17)
    given = [[int(place[int(a)]), int(place[int(b)]), height, int(n)] for a, b, height, n in merges]
    found = run("tree.js", "({joints}, merges) => joints(merges, 9)", given)
    tallest = merges[:, 2].max()
    ours = sorted((a * 10, b * 10, h * tallest) for a, b, _, _, h in found)  # scipy puts leaves at 5, 15, 25 …
    theirs = sorted((x[0], x[2], y[1]) for x, y in zip(drawn["icoord"], drawn["dcoord"], strict=True))
    np.testing.assert_allclose(ours, theirs, atol=1e-9)


def test_the_nearest_point_and_the_nearest_that_way_are_those_of_numpy(run, rng):
    points = rng.standard_normal((60, 2))
    document = columns(points)
    half = np.ptp(points, axis=0).max() / 2
    scaled = (points - (points.min(axis=0) + points.max(axis=0)) / 2) / half
    spots = rng.uniform(-1, 1, (20, 2))
    found = run(
        "points.js",
        """({Points}, {map, spots}) => {
          const points = new Points(map);
          return spots.map(([x, y]) => points.nearest(x, y, 9));
        }""",
        {"map": document, "spots": spots.tolist()},
    )  # fmt: skip
    far = np.linalg.norm(scaled[None] - spots[:, None], axis=2)
    assert found == far.argmin(axis=1).tolist()
    ways = [[1, 0], [-1, 0], [0, 1], [0, -1]]
    walked = run(
        "points.js",
        """({Points}, {map, ways}) => {
          const points = new Points(map);
          return map.names.map((_, i) => ways.map(([x, y]) => points.towards(i, x, y)));
        }""",
        {"map": document, "ways": ways},
    )  # fmt: skip
    for i, row in enumerate(walked):
        for way, answer in zip(ways, row, strict=True):
            steps = scaled - scaled[i]
            ahead = steps @ way
            angle = np.degrees(np.arccos(np.clip(ahead / np.maximum(np.linalg.norm(steps, axis=1), 1e-12), -1, 1)))
            inside = [j for j in range(60) if j != i and angle[j] <= 60]
            if answer < 0:
                assert not [j for j in inside if angle[j] < 59.9]
            else:
                assert angle[answer] <= 60.1
                closest = min(np.linalg.norm(steps[j]) for j in inside)
                assert np.linalg.norm(steps[answer]) <= 3 * closest  # near, though one straight ahead may come first


def test_search_puts_beginnings_first_then_words(run):
    names = ["reviews", "film/reviews", "preview", "Review-2", "other"]
    document = {**columns([(i, i) for i in range(5)]), "names": names}
    found = run("points.js", "({Points}, map) => new Points(map).search('review')", document)
    assert [names[i] for i in found["found"]] == ["reviews", "Review-2", "film/reviews", "preview"]
    assert found["total"] == 4


def test_a_filter_counts_kinds_and_families_and_those_without_one(run):
    document = columns([(0, 0)] * 6, family=[0, 0, -1, -1, 0, -1], kind=[0, 1, 0, 1, 0, 0])
    count = """({Points}, map) => {
      const points = new Points(map);
      return [[[], []], [["model"], []], [[], [""]], [["model"], ["around t0"]]].map(([hidden, without]) => {
        points.filter(hidden, without);
        return [points.shownCount, [...points.shown]];
      });
    }"""
    found = run("points.js", count, document)
    assert [shown for shown, _ in found] == [6, 4, 3, 2]
    assert found[3][1] == [0, 0, 1, 0, 0, 1]


STATES = [
    {},
    {"name": "a/b&c=d #1", "with": "ü ★", "space": "response", "show": "heat"},
    {"method": "umap", "hide": ["model", "adapter"], "without": ["around a, b", ""], "at": "0.5,-0.25,12"},
]
SENSELESS = ["#show=nothing&method=magic", "#at=1,2", "#at=a,b,c", "#at=0,0,-1", "#with=b", "#%"]


def test_the_address_holds_the_whole_state(run):
    for state in STATES:
        address = "#" + urlencode(state, doseq=True)
        once, again = run("state.js", "({parse, format}, to) => [parse(to), parse(format(parse(to)))]", address)
        assert once == again
        assert once["name"] == state.get("name", "")
        assert once["other"] == state.get("with", "")
        assert once["hidden"] == state.get("hide", [])
        assert once["without"] == state.get("without", [])
        assert once["at"] == ([float(value) for value in state["at"].split(",")] if "at" in state else None)


def test_an_address_that_makes_no_sense_is_the_start(run):
    start = run("state.js", "({START}) => START")
    assert run("state.js", "({parse}, all) => all.map(parse)", SENSELESS) == [start] * len(SENSELESS)


def test_numbers_are_written_with_a_true_minus_and_no_minus_zero(run):
    found = run(
        "format.js",
        """({fixed, signed}) => [
          fixed(-0.001, 2), fixed(-1.25, 1), signed(0.02, 2), signed(-0.02, 2), signed(0.0001, 2), fixed(null)
        ]""",
    )
    assert found == ["0.00", "\u22121.3", "+0.02", "\u22120.02", "0.00", "–"]


def test_pixels_are_those_of_the_canvas(run):
    """A point that is written as pixels comes out as when the browser itself lays one picture over the other."""
    document = columns([(0.0, 0.0), (1.0, 1.0)], family=[0, -1])
    script = """async ({Plate}, {map, base}) => {
      const {Points} = await import(base + "points.js");
      const {Sprites, stamp} = await import(base + "sprites.js");
      const {palette, familyColour} = await import(base + "colours.js");
      const points = new Points(map), colours = palette();
      const view = {x: 0, y: 0, scale: 30, width: 100, height: 100};
      const canvas = document.createElement("canvas");
      const plate = new Plate(canvas);
      plate.begin(points, view, new Sprites(points, colours, 6, 1), colours.paper, 1, 1);
      while (!plate.step(Infinity));
      const other = document.createElement("canvas");
      [other.width, other.height] = [canvas.width, canvas.height];
      const pen = other.getContext("2d", {willReadFrequently: true});
      pen.fillStyle = colours.paper;
      pen.fillRect(0, 0, other.width, other.height);
      for (const i of [0, 1]) {
        const small = Object.assign(document.createElement("canvas"), {width: 23, height: 23});
        const colour = familyColour(colours, points.family[i]);
        stamp(small.getContext("2d"), "dataset", 11.5, 11.5, 6, colour, colours.paper, true);
        const left = Math.floor(points.x[i] * 30 + canvas.width / 2);
        pen.drawImage(small, left - 11, Math.floor(canvas.height / 2 - points.y[i] * 30) - 11);
      }
      const [a, b] = [canvas, other].map((c) => c.getContext("2d").getImageData(0, 0, c.width, c.height).data);
      let worst = 0, drawn = 0;
      for (let p = 0; p < a.length; p++) { worst = Math.max(worst, Math.abs(a[p] - b[p])); drawn += a[p] !== a[p % 4]; }
      return [worst, drawn];
    }"""
    given = {"map": document, "base": "./"}
    worst, drawn = run("plate.js", script.replace("base +", '"/static/js/" +'), given)
    assert drawn > 200
    assert worst <= 3  # of 255: what is left over by rounding
