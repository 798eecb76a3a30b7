// SPDX-License-Identifier: Apache-2.0
//
// Flamenco job type of Photorig. Put this file into the folder "scripts" beside flamenco-manager.
// A job's folder comes from Blender's Submit to Farm or from `photorig farm flamenco`.

const BLENDER = "Blender";
const WORKER = "Photorig worker only";

const JOB_TYPE = {
    label: "Photorig",
    description: "Render a shot of Photorig. Each node is compared with the submitter's computer " +
        "before its first frame, and frames that are finished already are left alone.",
    settings: [
        // For artists:
        { key: "frames", type: "string", required: true,
          eval: "f'{C.scene.frame_start}-{C.scene.frame_end}'",
          evalInfo: { showLinkButton: true, description: "Scene frame range" },
          description: "Frames to render. Examples: '47', '1-30', '3, 5-10, 47-327'" },
        { key: "chunk_size", type: "int32", default: 24, propargs: { min: 1, max: 150 },
          visible: "submission", description: "Frames that a node takes at once" },
        { key: "job_folder", type: "string", subtype: "dir_path", required: true,
          description: "The folder that Photorig's Submit to Farm wrote, as the nodes see it" },
        { key: "nodes", type: "string", required: true, default: BLENDER,
          choices: [BLENDER, WORKER],
          description: "What the nodes have: Blender with the extension, or the worker alone" },
        { key: "render_output_path", type: "string", subtype: "dir_path", required: true,
          description: "Folder where the frames go" },
        { key: "preview_video", type: "bool", default: true, visible: "submission",
          description: "Make a film of the frames at the end" },

        // Found by the add-on:
        { key: "blendfile", type: "string", required: true, visible: "web",
          description: "Path of the Blend file to render" },
        { key: "fps", type: "float", eval: "C.scene.render.fps / C.scene.render.fps_base",
          visible: "hidden" },
        { key: "image_file_extension", type: "string", required: true,
          eval: "C.scene.render.file_extension", visible: "hidden",
          description: "File extension of the frames that Blender writes" },
    ]
};

function compileJob(job) {
    const settings = job.settings;
    if (!settings.job_folder) {
        throw "Job folder is missing: press Submit to Farm in Photorig's render panel first";
    }
    if (settings.nodes !== BLENDER && settings.nodes !== WORKER) {
        throw `There is no kind of node called "${settings.nodes}"`;
    }
    const hasBlender = settings.nodes === BLENDER;
    const commands = hasBlender ? blenderCommands(settings) : workerCommands(settings);
    const taskType = hasBlender ? "blender" : "misc"; // which nodes may take it

    const preflight = author.Task("preflight", taskType);
    preflight.addCommand(commands.preflight());
    job.addTask(preflight);

    const renders = frameChunker(settings.frames, settings.chunk_size).map(chunk => {
        const task = author.Task(`render-${chunk}`, taskType);
        task.addCommand(commands.render(chunk));
        task.addDependency(preflight);
        job.addTask(task);
        return task;
    });
    if (settings.preview_video && renders.length) {
        job.addTask(videoTask(settings, renders));
    }
}

// Nodes with Blender: the extension does the work, as it does on the animator's computer.
function blenderCommands(settings) {
    const blender = (operator, properties) => author.Command("blender-render", {
        exe: "{blender}",
        exeArgs: "{blenderArgs}",
        argsBefore: ["--background"],
        blendfile: settings.blendfile,
        args: [
            "--python-exit-code", "1",
            "--python", path.join(settings.job_folder, "in_blender.py"),
            "--", operator, `job=${settings.job_folder}`,
        ].concat(properties),
    });
    return {
        preflight: () => blender("farm_preflight", []),
        render: chunk => blender("farm_render", [
            `frames=${chunk}`, `output=${settings.render_output_path}`,
        ]),
    };
}

// Nodes with the worker alone. {photorig} is a variable of the Manager, like {blender}.
function workerCommands(settings) {
    const photorig = words => author.Command("exec", { exe: "{photorig}", args: words });
    return {
        preflight: () => photorig(
            ["farm", "preflight", path.join(settings.job_folder, "expected.json")]),
        render: chunk => photorig(
            ["farm", "render", settings.job_folder, "--frames", chunk,
             "--out", settings.render_output_path]),
    };
}

function videoTask(settings, renders) {
    const task = author.Task("preview-video", "ffmpeg");
    const extension = settings.nodes === BLENDER ? settings.image_file_extension : ".png";
    task.addCommand(author.Command("frames-to-video", {
        exe: "ffmpeg",
        fps: settings.fps,
        inputGlob: path.join(settings.render_output_path, `frame_*${extension}`),
        outputFile: path.join(settings.render_output_path, "preview.mp4"),
        args: ["-c:v", "h264", "-crf", "20", "-pix_fmt", "yuv420p", "-y"],
    }));
    renders.forEach(render => task.addDependency(render));
    return task;
}
