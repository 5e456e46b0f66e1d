"""The isolation proof that anybody can run on their own installation (`manage.py verify_isolation`)."""
