"""What each figure of the report means, word for word; shown on the page and kept in the JSON."""

from __future__ import annotations

DEFINITIONS: dict[str, str] = {
    "people": "Faces sampled from the generator by fixed seeds (group EVALUATION); nothing was "
    "trained, calibrated or chosen on them. Their portraits carry their own latents, so no "
    "inversion error is in the figures; p_s is what Net3D measures on their picture at 512².",
    "frames": "Every frame comes from FaceRenderer.render, the one way from parameters to pixels, "
    "as a relative request (sweeps, moves) or an absolute one (pairs).",
    "families": "Goals are judged by the first family. The second is what training and "
    "calibration looked through; its figures flatter and are shown to tell the two apart.",
    "sweep": "A parameter alone is asked for at five levels: rest and, for what goes both ways, "
    "half and all of the way to either end of the range; for coefficients a quarter, "
    "half, three quarters and all of the way up. The way begins at what the photo shows and ends "
    "where the person's own range ends: what the portrait was seen to reach when it was made "
    "(method calibrated), else the trained range. The mean of these ends is the asked range. Each "
    "coefficient goes to the next people in turn of whose trained range at least half is left.",
    "gain": "Least-squares slope through the origin of measured against asked change, over all "
    "people and levels. The spread is the standard deviation of the slopes of single people.",
    "in own units": "The gain divided by the family's own slope: least squares of its reading on "
    "Net3D's over the un-driven people, where R² of that line is at least 0.5. The judges' maps "
    "from landmarks to coefficients were fitted to Net3D's answers on un-driven faces, and a map "
    "that is unsure says too little; this takes its caution out. Goals use the gain as it is.",
    "linearity": "R² = 1 − Σ(m − gain·a)² / Σ(m − mean m)² over all people and levels, rest "
    "included: people who answer differently lower it as much as a bent curve does. R² of each: "
    "the same with every person's own slope, so that only bends and noise lower it.",
    "reached range": "Mean measured change at the ends of the ranges.",
    "controllable": "Gain 0.8 to 1.25 and R² at least 0.9.",
    "crosstalk": "C_ij = mean over people of |change of j| in full moves of j, when i is at an end "
    "of its range. Full moves: yaw 25°, pitch 15°, roll 30°, coefficients 1. Mean and "
    "worst are over all i that are swept and all j ≠ i that the family sees; nothing else is left "
    "out, mirror partners and muscles that move together anyway included. Translation of the head "
    "is no column, since a head that rolls about its neck also goes sideways. Per full move: the "
    "row divided by the measured change of i itself, so that short ranges do not look clean. "
    "Noise is the same figure between two pictures of a person at rest.",
    "identity": "Cosine between the family's descriptors of the driven frame and of the person at "
    "rest. Retention is the mean cosine divided by the mean ceiling at the same yaw gaps.",
    "ceiling": "What the family gives un-driven pictures of one person. At no yaw gap: the frame "
    "photographed again (moved by up to 1 % and 1°, scaled by up to 2 %, other exposure, JPEG). "
    "At a yaw gap g: the frame and its mirror image, which show the same person g = 2·|yaw| "
    "apart; the curve runs through the means of these pairs and never rises. Both are stricter "
    "than two real photos of a person, which differ in light, hair and expression too, so the "
    "retention is on the low side. A looser one, with half of another person's fine styles, is "
    "shown beside them, and so is the cosine of strangers.",
    "age, sex, ancestry": "Mean absolute change of the judge's estimates: years; probability of "
    "the sex; half of Σ|Δ probability| over the ancestries that it tells apart.",
    "both sides at once": "Every part at the end of its own range, scaled back as a whole where "
    "the bundle does so. Eyes: opening as a part of that at rest, 0 is shut. Gaze: how far the "
    "iris has moved to image right and up in the family's own unit, mean of both eyes.",
    "background": "BG = Σ B |I_r − I_s| / Σ B in levels of 255, B = 1 − (M_s ∪ M_r), M the person "
    "matte (head, hair, shoulders) widened by 5 % of the side. Before: the generator's own "
    "picture, from which only the person is taken. After: whole photos with the face put back, "
    "against the photo.",
    "shift": "Length of the latent shift in standard deviations of w: no network sees a face that "
    "has left the space of faces, this does.",
    "targets": "Pictures: another held-out person's own pose and expression as Net3D measures "
    "them (yaw within ±30°, pitch within ±15°); right is what the family reads off the target's "
    "un-driven picture. Drawn: yaw and pitch drawn evenly from that box, with roll from ±30° for "
    "some; right is what the family reads off the person at rest plus the change asked for. "
    "Frames without a face count as failures and never as errors of 0.",
    "geodesic": "Angle of the rotation between the two head poses, arccos((tr(R_rᵀR_t) − 1) / 2).",
    "expression error": "Mean |difference| of the coefficients that the family sees, in ARKit's "
    "units. Their range is [0, 1] by definition, so AED_raw and AED_norm are the same number. "
    "Mouth and eyes: |difference| of the opening in distances between the eyes. Untouched: the "
    "same for the person left as in the photo, what doing nothing would score.",
    "jitter": "Five seconds at 25 frames a second: yaw ±18° and pitch ±8° on sines, smile and jaw "
    "with them. J = mean ‖l(t+1) − 2l(t) + l(t−1)‖ over landmarks in eye distances. The fast part "
    "is what is above 5 Hz; the move has nothing there. For comparison the person's still picture "
    "is turned and shifted exactly and as smoothly in its plane: what is left there is the "
    "landmarker's own trembling.",
    "still test": "The same requests at all sizes in two orders, with other frames between: how "
    "many gave the same bytes.",
}
