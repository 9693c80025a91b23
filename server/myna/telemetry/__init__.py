"""What the server tells of itself: metrics, logs, traces, and the times in its answers.

Nothing that was said, and no key, is ever told.
"""
