-- Makes the first missing partition between two moments, of a month or a day of UTC or the free part of one, and answers its name. Null:
-- none is missing, or another caller is making one. Rows of its range in usage_default move to it, at most p_move of them (else KT032).
-- Runs as the owner of usage, whose right it takes. Inserts do not wait for it. Readers of all partitions wait while it holds
-- usage_default, and it waits for that lock no longer than lock_timeout (55P03: try again).
CREATE OR REPLACE FUNCTION usage_partition_make(p_period text, p_from timestamptz, p_until timestamptz, p_move integer, OUT made text, OUT moved bigint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
SET lock_timeout = '500ms' SET TimeZone = 'UTC' AS $$
DECLARE v_at uuid; v_next uuid; v_waiting bigint; v_day timestamptz;
BEGIN
  moved := 0;
  IF p_period NOT IN ('month', 'day') OR p_until > kt_now() + interval '2 years' THEN
    RAISE EXCEPTION 'partitions are made of months or days, for two years at most' USING ERRCODE = 'KT030';
  END IF;
  IF NOT pg_try_advisory_xact_lock(hashtextextended('usage_partitions', 0)) THEN RETURN; END IF;

  v_at := uuid_floor(date_trunc(p_period, p_from));
  LOOP
    SELECT t.until_id INTO v_next FROM (SELECT first_id, until_id FROM usage_partitions()
      UNION ALL SELECT first_id, until_id FROM usage_archive WHERE detached_at IS NOT NULL) t WHERE t.first_id <= v_at AND t.until_id > v_at;
    EXIT WHEN v_next IS NULL;
    v_at := v_next;
  END LOOP;
  IF v_at >= uuid_floor(p_until) THEN RETURN; END IF;
  v_day := uuid_moment(v_at);
  SELECT t.id INTO v_next FROM (
    SELECT uuid_floor(date_trunc(p_period, v_day) + ('1 ' || p_period)::interval) AS id
    UNION ALL SELECT first_id FROM usage_partitions() WHERE first_id > v_at
    UNION ALL SELECT first_id FROM usage_archive WHERE detached_at IS NOT NULL AND first_id > v_at) t ORDER BY t.id LIMIT 1;

  made := 'usage_' || to_char(v_day, CASE WHEN v_day = date_trunc('month', v_day) AND uuid_moment(v_next) = v_day + interval '1 month' THEN 'YYYY_MM' ELSE 'YYYY_MM_DD' END);
  EXECUTE format('CREATE TABLE public.%I (LIKE public.usage INCLUDING ALL)', made);
  EXECUTE format('ALTER TABLE public.%I ENABLE ROW LEVEL SECURITY', made);
  LOCK TABLE ONLY public.usage_default IN ACCESS EXCLUSIVE MODE;
  SELECT count(*) INTO v_waiting FROM (SELECT FROM public.usage_default WHERE id >= v_at AND id < v_next LIMIT p_move + 1) w;
  IF v_waiting > p_move THEN
    RAISE EXCEPTION 'more than % rows of usage_default belong to %', p_move, made USING ERRCODE = 'KT032';
  END IF;
  IF v_waiting > 0 THEN
    EXECUTE format('INSERT INTO public.%I SELECT * FROM public.usage_default WHERE id >= %L AND id < %L', made, v_at, v_next);
    DELETE FROM public.usage_default WHERE id >= v_at AND id < v_next;
    GET DIAGNOSTICS moved = ROW_COUNT;
  END IF;
  EXECUTE format('ALTER TABLE public.usage ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)', made, v_at, v_next);
END $$;

REVOKE ALL ON FUNCTION usage_partition_make FROM PUBLIC;
GRANT EXECUTE ON FUNCTION usage_partition_make TO kilotoken_definer, kilotoken_metering, kilotoken_app;
