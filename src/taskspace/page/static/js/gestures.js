/** Gestures: what pointers, wheel and keys do to the map. */

const CLICK = 5;
const REACH = { mouse: 14, pen: 18, touch: 26 };
const KEY_PAN = 60;

/**
 * @param {import("./stage.js").Stage} stage
 * @param {{choose: (i: number, compare: boolean) => void, hover: (i: number) => void, open: () => void}} does
 */
export function listen(stage, does) {
  const { frame } = stage;
  const fingers = new Map();
  let travelled = 0;

  frame.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    frame.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, spot(stage, event));
    stage.held = true;
    if (fingers.size === 1) travelled = 0;
    else travelled = Infinity;
  });

  frame.addEventListener("pointermove", (event) => {
    const now = spot(stage, event);
    const before = fingers.get(event.pointerId);
    if (!before) return does.hover(under(stage, now, event.pointerType));
    travelled += Math.hypot(now[0] - before[0], now[1] - before[1]);
    if (travelled <= CLICK) return undefined;
    frame.classList.add("held");
    if (fingers.size === 2) pinch(stage, fingers, event.pointerId, now);
    else stage.view.pan(now[0] - before[0], now[1] - before[1]);
    fingers.set(event.pointerId, now);
    return stage.touch();
  });

  const release = (event) => {
    if (!fingers.delete(event.pointerId)) return;
    frame.classList.remove("held");
    stage.held = fingers.size > 0;
    stage.redraw();
    if (event.type === "pointerup" && travelled <= CLICK) does.choose(under(stage, spot(stage, event), event.pointerType), event.shiftKey);
  };
  frame.addEventListener("pointerup", release);
  frame.addEventListener("pointercancel", release);
  frame.addEventListener("pointerleave", () => does.hover(-1));

  frame.addEventListener("wheel", (event) => {
    event.preventDefault();
    const [left, top] = spot(stage, event);
    const lines = event.deltaMode === 1 ? 16 : 1;
    stage.view.zoomAt(Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.0018)), left, top);
    stage.touch();
  }, { passive: false });

  frame.addEventListener("dblclick", (event) => {
    const [left, top] = spot(stage, event);
    zoomBy(stage, event.shiftKey ? 0.5 : 2, left, top);
  });

  frame.addEventListener("keydown", (event) => key(stage, event, does));
}

/** Zoom by a factor around the middle, or around a place on the screen. */
export function zoomBy(stage, factor, left = stage.view.width / 2, top = stage.view.height / 2) {
  const { view } = stage;
  const before = [view.x, view.y, view.scale];
  view.zoomAt(factor, left, top);
  const goal = [view.x, view.y, view.zoom];
  [view.x, view.y, view.scale] = before;
  stage.go(goal);
}

const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

function key(stage, event, does) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const step = STEPS[event.key];
  if (step && event.shiftKey) {
    stage.view.pan(-step[0] * KEY_PAN, step[1] * KEY_PAN);
    stage.touch();
  } else if (step) walk(stage, step, does);
  else if (event.key === "+" || event.key === "=") zoomBy(stage, 1.5);
  else if (event.key === "-") zoomBy(stage, 1 / 1.5);
  else if (event.key === "0") stage.go(null);
  else if (event.key === "Enter") does.open();
  else return;
  event.preventDefault();
}

/** To the nearest point that way; the first step takes the one nearest to the middle. */
function walk(stage, [dx, dy], does) {
  const { points, scene, view } = stage;
  if (!points) return;
  const next = scene.selected < 0 ? points.nearest(view.x, view.y, Infinity) : points.towards(scene.selected, dx, dy);
  if (next >= 0) does.choose(next, false);
}

function pinch(stage, fingers, moving, now) {
  const [[id, still]] = [...fingers].filter(([other]) => other !== moving);
  const before = fingers.get(moving);
  const factor = Math.hypot(now[0] - still[0], now[1] - still[1]) / Math.max(1, Math.hypot(before[0] - still[0], before[1] - still[1]));
  stage.view.pan((now[0] - before[0]) / 2, (now[1] - before[1]) / 2);
  stage.view.zoomAt(factor, (now[0] + still[0]) / 2, (now[1] + still[1]) / 2);
  fingers.set(id, still);
}

function spot(stage, event) {
  const { left, top } = stage.frame.getBoundingClientRect();
  return [event.clientX - left, event.clientY - top];
}

function under(stage, [left, top], type) {
  if (!stage.points) return -1;
  const [x, y] = stage.view.toMap(left, top);
  return stage.points.nearest(x, y, (REACH[type] ?? REACH.mouse) / stage.view.scale);
}
