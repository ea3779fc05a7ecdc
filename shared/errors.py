"""The one exception that means: the user can mend this."""


class UserError(Exception):
    """A slip in the user's files, settings or call.

    The message says where (file:line or key), what was found, what was expected and what to do. Stages print it without
    a stack trace and end with exit status `status`; every other exception is a defect of ours and keeps its trace.
    """

    status: int = 1
