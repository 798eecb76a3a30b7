"""How far a portrait obeys: real photos driven through every control, measured against ARKit.

`photorig evaluate obedience` asks for full motion and reads what comes of it with estimators that
neither training nor fitting looks through.
"""
