// What Flamenco's Manager gives a job type, as its documentation has it: author, path, frameChunker,
// print, formatTimestampLocal. Reads {script, job} as JSON from standard input; writes the job type
// and the compiled tasks.
"use strict";
const vm = require("vm");
const posix = require("path").posix;
const input = JSON.parse(require("fs").readFileSync(0, "utf8"));

class Task {
    constructor(name, type) {
        Object.assign(this, { name, type, commands: [], dependencies: [] });
    }
    addCommand(command) { this.commands.push(command); }
    addDependency(task) { this.dependencies.push(task.name); }
}

// "1-5, 8" in chunks of at most so many frames, each written as ranges.
function frameChunker(range, size) {
    const frames = new Set();
    for (const part of range.replaceAll("..", "-").split(",")) {
        const [first, last = first] = part.split("-").map(text => parseInt(text.trim(), 10));
        if (Number.isNaN(first) || Number.isNaN(last)) throw new Error(`invalid range ${range}`);
        for (let frame = first; frame <= last; frame++) frames.add(frame);
    }
    const sorted = [...frames].sort((a, b) => a - b), chunks = [];
    for (let start = 0; start < sorted.length; start += size) {
        const runs = [];
        for (const frame of sorted.slice(start, start + size)) {
            const run = runs[runs.length - 1];
            if (run && run[1] === frame - 1) run[1] = frame; else runs.push([frame, frame]);
        }
        chunks.push(runs.map(([a, b]) => a === b ? `${a}` : `${a}-${b}`).join(","));
    }
    return chunks;
}

const tasks = [];
const world = vm.createContext({
    author: {
        Task: (name, type) => new Task(name, type),
        Command: (name, parameters) => ({ name, parameters }),
    },
    path: { basename: posix.basename, dirname: posix.dirname, join: posix.join },
    frameChunker,
    print: () => {},
    alert: () => {},
    formatTimestampLocal: () => "2026-11-30_120000",
});
vm.runInContext(`${input.script}\nthis.JOB_TYPE = JOB_TYPE; this.compileJob = compileJob;`, world);
try {
    world.compileJob({ ...input.job, addTask: task => tasks.push(task) });
    console.log(JSON.stringify({ jobType: world.JOB_TYPE, tasks }));
} catch (error) {
    console.log(JSON.stringify({ error: String(error && error.message || error) }));
}
