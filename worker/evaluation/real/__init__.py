"""``photorig evaluate photos`` and ``video``: real people, from the photo to the driven face.

Everything goes the way a user goes: `photorig fit` as a process of its own, FaceRenderer for every
frame. Judges that no loss uses look at the frames; see worker/evaluation/estimators.
"""
