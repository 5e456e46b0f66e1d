"""The rules about subjects once more in the database, where no code path goes round them.

No message carries a subject: PostgreSQL's log is read by people who may not see whose data is whose.
"""

from django.db import migrations

REFUSE_CHANGE = """
CREATE FUNCTION accounts_refuse_subject_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the subject of an account never changes' USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER accounts_user_subject_is_fixed BEFORE UPDATE ON accounts_user
    FOR EACH ROW WHEN (NEW.subject IS DISTINCT FROM OLD.subject) EXECUTE FUNCTION accounts_refuse_subject_change();
"""

ONE_OWNER = """
CREATE FUNCTION accounts_refuse_second_owner() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME = 'accounts_user' AND EXISTS (SELECT FROM accounts_subjectlink WHERE subject = NEW.subject)
    OR TG_TABLE_NAME = 'accounts_subjectlink' AND EXISTS (SELECT FROM accounts_user WHERE subject = NEW.subject) THEN
        RAISE EXCEPTION 'a subject belongs to one account only' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER accounts_user_subject_is_free BEFORE INSERT ON accounts_user
    FOR EACH ROW EXECUTE FUNCTION accounts_refuse_second_owner();
CREATE TRIGGER accounts_subjectlink_subject_is_free BEFORE INSERT OR UPDATE ON accounts_subjectlink
    FOR EACH ROW EXECUTE FUNCTION accounts_refuse_second_owner();
"""

UNDO_CHANGE = """
DROP TRIGGER accounts_user_subject_is_fixed ON accounts_user;
DROP FUNCTION accounts_refuse_subject_change();
"""

UNDO_OWNER = """
DROP TRIGGER accounts_user_subject_is_free ON accounts_user;
DROP TRIGGER accounts_subjectlink_subject_is_free ON accounts_subjectlink;
DROP FUNCTION accounts_refuse_second_owner();
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]
    operations = [migrations.RunSQL(REFUSE_CHANGE, UNDO_CHANGE), migrations.RunSQL(ONE_OWNER, UNDO_OWNER)]
