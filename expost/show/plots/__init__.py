"""Pictures: one file an idea. Every function takes ``ax=None`` and returns the axes that it drew on.

Where no axes are given and a notebook is looking (or the user has pyplot loaded), new ones come from pyplot, so that
they show; otherwise from a figure of their own, which leaves no trace in the process.
"""
