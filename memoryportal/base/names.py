"""Names in the database cluster. The memory room's SQL and the operator's `prepare_database` use the same ones."""

OWNER = "memoryportal_owner"
APP = "memoryportal_app"
SCOPED = "memoryportal_scoped"
DATABASE = "memoryportal"
