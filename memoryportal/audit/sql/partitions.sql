-- A new month is made beside the trail and then attached. CREATE TABLE … PARTITION OF would wait for everybody who reads
-- the trail, and let everybody who writes wait behind it; ATTACH waits for neither.
CREATE OR REPLACE FUNCTION audit_partition(moment timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    name text := 'audit_event_' || to_char(moment, 'YYYY_MM');
    first timestamptz := date_trunc('month', moment);
BEGIN
    IF to_regclass('public.' || name) IS NOT NULL THEN RETURN; END IF;
    EXECUTE format('CREATE TABLE public.%I (LIKE public.audit_event INCLUDING ALL)', name);
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'memoryportal_app') THEN
        EXECUTE format('REVOKE ALL ON public.%I FROM memoryportal_app', name);
    END IF;
    EXECUTE format('ALTER TABLE public.audit_event ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
                   name, first, first + interval '1 month');
END
$$;

-- Whoever holds the head for long holds up every act in the portal: they learn after three seconds, not after ten.
ALTER FUNCTION audit_append(text, text, text, text, text, text, text, text, jsonb) SET lock_timeout = '3s';
