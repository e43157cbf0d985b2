// Mends of how jco 1.35.0 waits: it looks by timers whether what is waited for is there. A task
// loses up to 10 ms each time, and while a piece of a stream is awaited the processor spins.
// Here what happens wakes who waits for it; the timers stay for what has no event.

/** As in `mend.mjs`. */
export const WAITING = [
  {
    defect: "the host's end of a stream or future asks all the time whether it has an event",
    pattern:
      /await new Promise\(\(resolve\) => \{\n +let waitInterval = setInterval\((?:async )?\(\) => \{\n +if \(!this\.hasPendingEvent\(\)\) \{ return; \}\n +clearInterval\(waitInterval\);\n +resolve\(\);\n +\}\);\n +\}\);/g,
    count: 4,
    mended: "while (!this.hasPendingEvent()) { await this.getWaitable().promise(); }",
  },
  {
    defect: "an event is not told to who waits for it",
    pattern: /( +)this\.#pendingEventFn = fn;\n/g,
    count: 1,
    mended:
      "$1this.#pendingEventFn = fn;\n" +
      "$1this.#resolve();\n" +
      "$1for (const state of ASYNC_STATE.values()) { state.wake(); }\n",
  },
  {
    defect: "tasks are asked every 10 ms whether they can go on",
    pattern: /( +)async runTickLoop\(\) \{/g,
    count: 1,
    mended:
      "$1#awake = false;\n" +
      "$1#looking = false;\n" +
      "$1#looks = 0;\n" +
      "$1wake() {\n" +
      "$1  if (this.#suspendedTasksByTaskID.size === 0) { return; }\n" +
      "$1  this.#awake = true;\n" +
      "$1  this.#looks = 0;\n" +
      "$1  this.#look();\n" +
      "$1}\n" +
      // One goes on at a time, and the next when its slice has ended: as the lock says. Who does
      // nothing but yield, LOOKS_MAX times and no event between, waits for a timer, so that all
      // else can happen.
      "$1#look() {\n" +
      "$1  if (!this.#awake || this.#looking || this.#looks >= _LOOKS_MAX) { return; }\n" +
      "$1  this.#looking = true;\n" +
      "$1  this.#looks += 1;\n" +
      "$1  _soon(() => {\n" +
      "$1    this.#looking = false;\n" +
      "$1    const holder = this.#lockHolderTaskID;\n" +
      "$1    const running = holder !== null && !this.isTaskSuspended(holder);\n" +
      "$1    if (running || this.#lockHandoffScheduled) { return; }\n" +
      "$1    this.#awake = this.tick() === ComponentAsyncState.TickResult.RESUMED;\n" +
      "$1    this.#look();\n" +
      "$1  });\n" +
      "$1}\n" +
      "$1async runTickLoop() {",
  },
  {
    defect: "the same: a timer's turn",
    pattern: /( +)(await new Promise\(\(resolve\) => setTimeout\(resolve, delay\)\);\n)( +)result = this\.tick\(\);/g,
    count: 1,
    mended: "$1$2$1this.#looks = 0;\n$3result = this.tick();\n$1this.#look();",
  },
  {
    defect: "the same: what no event tells of can wait longer",
    pattern: /ComponentAsyncState\.TickResult\.RESUMED \? 0 : 10;/g,
    count: 1,
    mended: "ComponentAsyncState.TickResult.RESUMED ? 0 : _LOOK_MS;",
  },
  {
    defect: "the same: the first time",
    pattern: /( +this\.#tickLoop = null;\n +\}, )10\);/g,
    count: 1,
    mended: "$1_LOOK_MS);",
  },
  {
    defect: "the same: a task that is cancelled",
    pattern: /getOrCreateAsyncState\(this\.#componentIdx\)\.runTickLoop\(\);/g,
    count: 1,
    mended: "$&\n      getOrCreateAsyncState(this.#componentIdx).wake();",
  },
  {
    defect: "the same: the end of a slice",
    pattern: /( +)this\.#scheduleLockHandoff\(\);\n( +)return true;/g,
    count: 1,
    mended: "$1this.#scheduleLockHandoff();\n$1this.#look();\n$2return true;",
  },
  {
    defect: "the same: who holds the lock begins to wait, or who yields",
    pattern: /( +)this\.runTickLoop\(\);\n( +_checkForDeadlock\(\);\n +\n +return promise;)/g,
    count: 1,
    mended:
      "$1this.runTickLoop();\n" +
      "$1if (this.suspendedTaskReady(taskID)) { this.#awake = true; }\n" +
      "$1this.#look();\n$2",
  },
  {
    defect: "whether all wait for each other is asked while the host still has something to do",
    pattern: /(function _checkForDeadlock\(\) \{\n +if \()/g,
    count: 1,
    // Asked again when the host has done it.
    mended: "$1STORE_ASYNC_STATE.pendingHostOperations > 0 || ",
  },
  {
    defect: "microtasks are asked of the platform, which is slow at it",
    pattern: /queueMicrotask\(/g,
    count: (n) => n > 10,
    mended: "_soon(",
  },
  {
    defect: "each call of an import waits for a timer: for the import to have read what it is given",
    pattern: /setTimeout\((\(\) => \{\n +\/\/ NOTE: whether the import settled[\s\S]*?)\n( +)\}, 0\);/g,
    count: 1,
    mended: "subtask.begun.promise.then($1\n$2});",
  },
  {
    defect: "the same: a call knows whether its import has begun",
    pattern: /\n( +)cancelProgress = null;/g,
    count: 1,
    mended: "\n$1cancelProgress = null;\n$1begun = promiseWithResolvers();",
  },
  {
    defect: "the same: it has",
    pattern: /( +)const started = await task\.enter\(\{ isHost: hostProvided \}\);\n/g,
    count: 5,
    // What waits for it goes on after the call of the host, which is in the same turn.
    mended: "$&$1subtask?.begun.resolve();\n",
  },
  {
    defect: "the same: it will not",
    pattern: /(if \(subtask\.cancellationRequested\(\) \|\| task\.taskState\(\) === AsyncTask\.State\.CANCEL_PENDING\) \{) return; \}/g,
    count: 1,
    mended: "$1 subtask.begun.resolve(); return; }",
  },
  {
    defect: "the same: it failed before",
    pattern: /( +)(false && _debugLog\("\[_lowerImport\(\)\] import fn error:", err\);\n)/g,
    count: 1,
    mended: "$1$2$1subtask.begun.resolve();\n",
  },
  {
    defect: "who ends lets go of the current task, also of one that is just going on",
    pattern:
      /(async function _withGlobalCurrentTaskMetaAsync[\s\S]*? finally \{\n)( +)(CURRENT_TASK_META\[componentIdx\] = null;)\n +if \((CURRENT_TASK_META\.current\?\.taskID === taskID)\)/g,
    count: 1,
    // Whose it is while it goes on the lock says.
    mended:
      "$1$2const going = ASYNC_STATE.get(componentIdx)?.isExclusivelyLocked() === true;\n" +
      "$2if (!going) { $3 }\n" +
      "$2if (!going && $4)",
  },
];

/** What the mended code calls. */
export const WAITING_HELPERS = `
const _LOOKS_MAX = 1000;
const _LOOK_MS = 100;
const _NOW = Promise.resolve();
function _soon(work) { _NOW.then(() => { work(); }); }
`;
