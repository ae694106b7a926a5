"""SQL statements of a shared study, each of which does in one what Optuna's own calls do in many.

Many workers report and begin trials at once; so a report takes a tenth of the CPU, and the lock under which trials
begin is held for two statements. Optuna's tables are those of `optuna.storages._rdb.models`.
"""

from sqlalchemy import text

from hpo.storage.cluster.leases import NEW_LEASE

REPORT = text("""
    WITH own AS (
        SELECT trial_id FROM hpo_leases WHERE trial_id = :trial_id AND token = :token AND NOT let_go FOR SHARE
    ),
    running AS (SELECT trial_id FROM trials JOIN own USING (trial_id) WHERE state = 'RUNNING'),
    report AS (
        INSERT INTO trial_intermediate_values (trial_id, step, intermediate_value, intermediate_value_type)
        SELECT trial_id, :step, CAST(:val_bpd AS double precision), CAST(:kind AS trialintermediatevaluetype)
        FROM running
        ON CONFLICT (trial_id, step) DO UPDATE SET
        intermediate_value = excluded.intermediate_value, intermediate_value_type = excluded.intermediate_value_type
    )
    INSERT INTO trial_system_attributes (trial_id, key, value_json) SELECT trial_id, :name, :key FROM running
    ON CONFLICT (trial_id, key) DO UPDATE SET value_json = excluded.value_json
    RETURNING trial_id
""")
LOCK_STUDY = text("SELECT study_id FROM studies WHERE study_id = :study_id FOR UPDATE")
_LEASE = f"""
    INSERT INTO hpo_leases (trial_id, token, worker, expires)
    SELECT trial_id, {NEW_LEASE} FROM trial RETURNING trial_id, token
"""
TAKE_WAITING = text(f"""
    WITH waiting AS (
        SELECT trial_id FROM trials WHERE study_id = :study_id AND state = 'WAITING'
        ORDER BY number LIMIT 1 FOR UPDATE SKIP LOCKED
    ),
    trial AS (
        UPDATE trials SET state = 'RUNNING', datetime_start = :now FROM waiting
        WHERE trials.trial_id = waiting.trial_id RETURNING trials.trial_id
    )
    {_LEASE}
""")
# Trials that are like the one to begin, as `hpo.search.scheduler.n_alike` counts them.
_N_ALIKE = """
    SELECT count(*) FROM trials t WHERE t.study_id = :study_id AND CASE WHEN CAST(:relation AS text) IS NULL
    THEN NOT EXISTS (
        SELECT 1 FROM trial_user_attributes a WHERE a.trial_id = t.trial_id AND a.key = ANY(:relations)
    )
    ELSE EXISTS (
        SELECT 1 FROM trial_user_attributes a
        WHERE a.trial_id = t.trial_id AND a.key = :relation AND a.value_json = :number
    ) END
"""
BEGIN = text(f"""
    WITH trial AS (
        INSERT INTO trials (study_id, number, state, datetime_start)
        SELECT :study_id, (SELECT count(*) FROM trials WHERE study_id = :study_id), 'RUNNING', CAST(:now AS timestamp)
        WHERE NOT EXISTS (SELECT 1 FROM trials WHERE study_id = :study_id AND state = 'WAITING')
        AND (CAST(:limit AS bigint) IS NULL OR ({_N_ALIKE}) < :limit)
        RETURNING trial_id
    ),
    user_attributes AS (
        INSERT INTO trial_user_attributes (trial_id, key, value_json)
        SELECT trial_id, key, value FROM trial, unnest(CAST(:user_keys AS text[]), CAST(:user_values AS text[]))
        AS of_user (key, value)
    ),
    system_attributes AS (
        INSERT INTO trial_system_attributes (trial_id, key, value_json)
        SELECT trial_id, key, value FROM trial, unnest(CAST(:system_keys AS text[]), CAST(:system_values AS text[]))
        AS of_system (key, value)
    )
    {_LEASE}
""")
