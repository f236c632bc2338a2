# Audit columns and soft deletes.  Triggers keep what every row that ever was must
# look like at the target; all of it is compared, the marked rows too.

use strict;
use warnings;

use Digest::MD5 qw(md5_hex);
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

use dbmazz::Stream;

my @tables = qw(docs docs_full docs_index only_key);
my ($node, $target) = start_stream(
	sql => <<~'SQL',
		CREATE FUNCTION large(i int) RETURNS text LANGUAGE sql
			AS 'SELECT repeat(md5(i::text), 80)';
		CREATE TABLE docs (id int PRIMARY KEY, note text NOT NULL, body text, n int NOT NULL);
		ALTER TABLE docs ALTER body SET STORAGE EXTERNAL;
		CREATE TABLE docs_full (LIKE docs INCLUDING ALL);
		ALTER TABLE docs_full REPLICA IDENTITY FULL;
		CREATE TABLE docs_index (LIKE docs INCLUDING ALL);
		CREATE UNIQUE INDEX docs_identity ON docs_index (n, id);
		ALTER TABLE docs_index REPLICA IDENTITY USING INDEX docs_identity;
		CREATE TABLE only_key (id int PRIMARY KEY);
		CREATE TABLE late (id int PRIMARY KEY, note text);
		CREATE TABLE bare (id int PRIMARY KEY, note text);
		INSERT INTO docs VALUES (900, 'before the pipeline', NULL, 0);

		CREATE TABLE expected (tbl text, id int, op int, gone boolean, tx bigint, values jsonb,
			PRIMARY KEY (tbl, id));
		CREATE FUNCTION expect(tbl text, id int, op int, vals jsonb) RETURNS void LANGUAGE sql AS $$
			DELETE FROM expected e WHERE e.tbl = $1 AND e.id = $2;
			INSERT INTO expected
				SELECT $1, $2, $3, $3 = 2, txid_current(), $4
				WHERE $3 < 2 OR current_setting('test.soft') = 'on';
			$$;
		CREATE FUNCTION note_change() RETURNS trigger LANGUAGE plpgsql AS $$
			BEGIN
				IF TG_OP = 'DELETE' THEN
					PERFORM expect(TG_TABLE_NAME, OLD.id, 2, to_jsonb(OLD));
				ELSIF TG_OP = 'INSERT' THEN
					PERFORM expect(TG_TABLE_NAME, NEW.id, 0, to_jsonb(NEW));
				ELSIF OLD.id <> NEW.id THEN
					PERFORM expect(TG_TABLE_NAME, OLD.id, 2, to_jsonb(OLD));
					PERFORM expect(TG_TABLE_NAME, NEW.id, 0, to_jsonb(NEW));
				ELSE
					PERFORM expect(TG_TABLE_NAME, NEW.id, 1, to_jsonb(NEW));
				END IF;
				RETURN NULL;
			END $$;
		DO $$ DECLARE t text; BEGIN
			FOREACH t IN ARRAY '{docs,docs_full,docs_index,only_key}'::text[] LOOP
				EXECUTE format('CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON %I '
					'FOR EACH ROW EXECUTE FUNCTION note_change()', t);
			END LOOP;
		END $$;
		SQL
	tables => [ @tables, 'late' ],
	publication => 'TABLE docs, docs_full, docs_index, only_key, late, bare',
	# server-wide, so that targets are made with audit columns, and nullable
	conf => <<~'CONF',
		dbmazz.audit_columns = on
		dbmazz.delete_mode = soft
		dbmazz.restart_max_delay = 1s
		dbmazz.debug_point = ''
		test.soft = off
		CONF
	settings => [ 'delete_mode=hard', 'flush_interval=0' ]);

sub settings
{
	my (@settings) = @_;
	my $list = join ', ', map { "'$_'" } @settings;
	query($node, "SELECT dbmazz.alter_pipeline('shop', settings => ARRAY[$list])");
	return;
}

# The target's rows, decoded, by their key.
sub target_rows
{
	my ($table) = @_;
	return { map { $_->{id} => $_ } map { decode_json($_) } @{ $target->rows('shop', $table) } };
}

sub line
{
	my ($id, $op, $gone, $row) = @_;
	my $body = $row->{body};
	return join '|', $id, $op, $gone ? 'gone' : 'there',
	  map { $_ // 'NULL' } $row->{note}, defined $body ? md5_hex($body) : undef, $row->{n};
}

# All rows are as expected, the marked ones too; versions go up with transactions.
sub as_expected
{
	my ($name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	arrived($node);
	my (%version, $marked);
	for my $table (@tables)
	{
		my $have = target_rows($table);
		my @have = map { line($_, @{ $have->{$_} }{qw(dbmazz_op_type dbmazz_is_deleted)}, $have->{$_}) }
		  sort { $a <=> $b } keys %$have;
		my @want;
		for (split /\n/, query($node, <<~"SQL"))
			SELECT json_build_array(id, op, gone, values, tx) FROM expected
			WHERE tbl = '$table' ORDER BY id
			SQL
		{
			my ($id, $op, $gone, $values, $tx) = @{ decode_json($_) };
			push @want, line($id, $op, $gone, $values);
			$marked++ if $gone;
			$version{$tx}{ $have->{$id}{dbmazz_cdc_version} // 'none' } = 1;
		}
		is_deeply(\@have, \@want, "$name: $table (" . @want . ' rows)');
		is(query($node, "SELECT count(*) FROM $table WHERE id <> 900"),
			scalar(grep { /there/ } @have), "$name: $table has the source's rows");
	}
	is_deeply([ grep { keys %{ $version{$_} } != 1 } keys %version ],
		[], "$name: one version for all rows of a transaction");
	my @in_order = map { keys %{ $version{$_} } } sort { $a <=> $b } keys %version;
	is_deeply(\@in_order, [ sort { $a <=> $b } @in_order ], "$name: versions go up");
	return $marked // 0;
}

# Mixed changes of few keys in transactions of random size, with rollbacks.
my $seed = 0;

sub mixed_changes
{
	my ($table, $soft) = @_;
	$seed = $seed < 0.95 ? $seed + 0.021 : 0;
	# without FULL nobody has an unchanged large value for a new key
	my $moved = $table eq 'docs_full' ? '' : ', body = large(-i)';
	query($node, <<~"SQL");
		SET test.soft = $soft;
		SELECT setseed($seed);
		DO \$\$
		DECLARE k int; k2 int;
		BEGIN
			FOR i IN 1..90 LOOP
				k := (random() * 20)::int;
				k2 := (random() * 40)::int;
				CASE (random() * 8)::int
				WHEN 0, 1, 2 THEN DELETE FROM $table WHERE id = k;
				WHEN 3 THEN UPDATE $table SET note = 'all ' || i, body = large(i), n = i WHERE id = k;
				WHEN 4 THEN UPDATE $table SET note = 'short ' || i WHERE id = k;
				WHEN 5 THEN UPDATE $table SET body = NULL WHERE id = k;
				WHEN 6 THEN UPDATE $table SET id = k2, note = 'moved'$moved WHERE id = k
					AND NOT EXISTS (SELECT FROM $table WHERE id = k2);
				WHEN 7 THEN
					BEGIN
						DELETE FROM $table;
						RAISE division_by_zero;
					EXCEPTION WHEN division_by_zero THEN NULL;
					END;
				ELSE NULL;
				END CASE;
				INSERT INTO $table VALUES (k, 'i' || i, large(i), i) ON CONFLICT DO NOTHING;
				IF random() < 0.3 THEN
					DELETE FROM $table WHERE id = k2;
				END IF;
				IF i % (1 + (random() * 15)::int) = 0 THEN
					COMMIT;
				END IF;
			END LOOP;
		END \$\$;
		SQL
	return;
}

sub mixed_keys
{
	my ($soft) = @_;
	$seed = $seed < 0.95 ? $seed + 0.021 : 0;
	query($node, <<~"SQL");
		SET test.soft = $soft;
		SELECT setseed($seed);
		DO \$\$ BEGIN
			FOR i IN 1..50 LOOP
				DELETE FROM only_key WHERE id = (random() * 10)::int;
				INSERT INTO only_key VALUES ((random() * 10)::int) ON CONFLICT DO NOTHING;
				IF random() < 0.2 THEN COMMIT; END IF;
			END LOOP;
		END \$\$;
		SQL
	return;
}

sub all_mixed
{
	my ($soft) = @_;
	mixed_changes($_, $soft) for qw(docs docs_full docs_index);
	mixed_keys($soft);
	return;
}

# ---- one change at a time -----------------------------------------------------

my $before = query($node, q(SELECT pg_current_wal_insert_lsn() - '0/0'));
my $began = query($node, q(SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')));
query($node, q(INSERT INTO docs VALUES (1, 'a', large(1), 1), (2, 'b', NULL, 2)));
is(as_expected('inserts'), 0, 'nothing is marked');
{
	my $after = query($node, q(SELECT pg_current_wal_insert_lsn() - '0/0'));
	my $ended = query($node, q(SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')));
	my $row = target_rows('docs')->{1};
	cmp_ok($row->{dbmazz_cdc_version}, '>=', $before, 'the version is an LSN');
	cmp_ok($row->{dbmazz_cdc_version}, '<', $after, '... of the commit');
	cmp_ok($row->{dbmazz_synced_at}, 'ge', $began, 'the time is UTC');
	cmp_ok($row->{dbmazz_synced_at}, 'le', $ended, '... and between the change and now');
	is($row->{dbmazz_synced_at}, target_rows('docs')->{2}{dbmazz_synced_at}, 'one for a transaction');
}
query($node, q(UPDATE docs SET note = 'aa' WHERE id = 1; DELETE FROM docs WHERE id = 2));
as_expected('hard deletes');
is($target->count('shop', 'docs'), 1, 'the row is gone');

# ---- hard deletes --------------------------------------------------------------

for my $case ([ 'flush_interval=0', 'batch_max_rows=100000' ],
	[ 'flush_interval=300ms', 'batch_max_rows=7' ])
{
	settings(@$case);
	all_mixed('off');
	as_expected("hard, @$case");
}

# ---- soft deletes ----------------------------------------------------------------

restart_stream($node, sub { settings('delete_mode=DEFAULT', 'flush_interval=0') });
query($node, q(SET test.soft = on; INSERT INTO docs VALUES (100, 'x', large(5), 5), (101, 'y', 'short', 6)));
query($node, q(SET test.soft = on; DELETE FROM docs WHERE id = 100));
cmp_ok(as_expected('a soft delete'), '==', 1, 'one row is marked');
is(target_rows('docs')->{100}{note}, 'x', 'and keeps its values');
query($node, q(SET test.soft = on; INSERT INTO docs VALUES (100, 'again', NULL, 7)));
cmp_ok(as_expected('inserted again'), '==', 0, 'no row is marked any more');
query($node, q(SET test.soft = on; UPDATE docs SET id = 102, note = 'moved' WHERE id = 101));
cmp_ok(as_expected('an update of the key'), '==', 1, 'marks the old one');
query($node, <<~'SQL');
	SET test.soft = on;
	BEGIN;
	INSERT INTO docs VALUES (103, 'short', large(1), 1);
	UPDATE docs SET note = 'life' WHERE id = 103;
	DELETE FROM docs WHERE id = 103;
	INSERT INTO docs VALUES (103, 'second', large(2), 2);
	DELETE FROM docs WHERE id = 103;
	COMMIT;
	SQL
as_expected('all in one transaction');

# a row that was there before the pipeline
query($node, q(SET test.soft = on; DELETE FROM docs WHERE id = 900));
arrived($node);
{
	my $row = target_rows('docs')->{900};
	is_deeply([ @$row{qw(dbmazz_op_type note n)} ], [ 2, undef, undef ], 'a row that never came is a mark');
	ok($row->{dbmazz_is_deleted}, '... of a deleted row');
	$target->sql('DELETE FROM docs WHERE id = 900', 'shop');
	query($node, 'DELETE FROM expected WHERE id = 900');
}

for my $case ([ 'flush_interval=0', 'batch_max_rows=100000' ],
	[ 'flush_interval=0', 'batch_max_rows=3' ],
	[ 'flush_interval=300ms', 'batch_max_rows=100000' ],
	[ 'flush_interval=300ms', 'batch_max_rows=7' ])
{
	settings(@$case);
	all_mixed('on');
	cmp_ok(as_expected("soft, @$case"), '>', 0, "soft, @$case: rows are marked");
}
{
	$target->clear_loads;
	query($node, q(SET test.soft = on; DELETE FROM docs_full));
	as_expected('all deleted under FULL');
	is(scalar(grep { ($_->{headers}{partial_update} // '') eq 'true' } $target->loads(table => 'docs_full')),
		0, 'the old rows are sent whole');
	query($node, q(SET test.soft = on; DELETE FROM docs));
	as_expected('all deleted');
	isnt(scalar(grep { ($_->{headers}{partial_update} // '') eq 'true' } $target->loads(table => 'docs')),
		0, 'otherwise just the marks are');
}

# ---- restarts and replay ------------------------------------------------------------

settings('flush_interval=0', 'batch_max_rows=20');
all_mixed('on');
restart_stream($node);
all_mixed('on');
as_expected('stopped and started in the middle');

# Everything since the checkpoint comes a second time, over what it led to.
restart_stream($node, sub { settings('checkpoint_interval=1h', 'flush_interval=0') });
for my $mode ('mixed', 'once more')
{
	all_mixed('on');
	as_expected("$mode, before the replay");
	my $before = target_rows('docs');
	$target->clear_loads;
	$node->stop('immediate');
	$node->start;
	$node->wait_for_state('postgres', 'shop', 'streaming');
	as_expected("$mode, after the replay");
	cmp_ok(scalar($target->loads(table => 'docs')), '>', 0, "$mode: rows were sent again");
	my $after = target_rows('docs');
	my @newer = grep { $after->{$_}{dbmazz_synced_at} gt $before->{$_}{dbmazz_synced_at} } keys %$after;
	cmp_ok(scalar @newer, '>', 0, "$mode: the time is that of the replay");
	is_deeply([ map { $after->{$_}{dbmazz_cdc_version} } sort keys %$after ],
		[ map { $before->{$_}{dbmazz_cdc_version} } sort keys %$before ],
		"$mode: the version is not");
}

# The target hangs, and the server crashes.
settings('checkpoint_interval=DEFAULT');
$target->freeze;
all_mixed('on');
$node->stop('immediate');
$target->thaw;
$node->start;
$node->wait_for_state('postgres', 'shop', 'streaming');
all_mixed('on');
as_expected('after a crash');

# The outcome of a load is in doubt.
{
	$target->fault(fault => 'be_cut', when => 'after_commit', count => 1, table => '^docs$');
	query($node, q(SET test.soft = on; INSERT INTO docs VALUES (777, 'once', NULL, 1)));
	as_expected('an answer that was lost');
}

# ---- what cannot be --------------------------------------------------------------------

query($node, 'ALTER TABLE late ADD COLUMN dbmazz_op_type int');
query($node, q(INSERT INTO late VALUES (1, 'a', 1)));
my $why = wait_for_stop($node, 'late');
like($why, qr/"public\.late" has a column with the name of an audit column/, 'a column of that name');
like($why, qr/Rename the column/, '... with a hint');

$target->sql('CREATE TABLE bare (id INT NOT NULL, note STRING) PRIMARY KEY (id) DISTRIBUTED BY HASH (id)', 'shop');
query($node, q(INSERT INTO bare VALUES (1, 'a')));
$why = wait_for_stop($node, 'bare');
like($why, qr/has no column "dbmazz_op_type", "dbmazz_is_deleted", "dbmazz_synced_at", "dbmazz_cdc_version"/,
	'a target without audit columns');
like($why, qr/ADD COLUMN `dbmazz_op_type` TINYINT NULL, ADD COLUMN `dbmazz_is_deleted` BOOLEAN NULL, /,
	'the statement that adds them');
my ($add) = $why =~ /(ALTER TABLE .*);/;
$target->sql($add, 'shop');
restart_stream($node, sub { query($node, 'ALTER TABLE late DROP COLUMN dbmazz_op_type') });
same_rows($node, $target, 'bare');
like(wait_for_stop($node, 'late'), qr/drop the pipeline, create it again/, 'the other one cannot go on, as its hint said');

# the server's settings change under a pipeline that runs
query($node, 'ALTER SYSTEM SET dbmazz.audit_columns = off');
query($node, 'SELECT pg_reload_conf()');
query($node, q(SET test.soft = on; INSERT INTO docs VALUES (778, 'still', NULL, 1); DELETE FROM docs WHERE id = 777));
as_expected('a setting is that of the start');
my $pid = $node->worker_pid('decoder');
query($node, "SELECT pg_terminate_backend($pid)");
$node->wait_for_state('postgres', 'shop', 'failed');
like(query($node, q(SELECT last_error FROM dbmazz.stat_pipeline)),
	qr/delete_mode=soft needs audit_columns=on/, 'the pipeline says what does not fit');
query($node, 'ALTER SYSTEM RESET dbmazz.audit_columns');
query($node, 'SELECT pg_reload_conf()');
$node->run_pipeline('postgres', 'shop');
all_mixed('on');
as_expected('at the end');

# They change while the slot of a new one is made, when they have been looked at.
sub set_server
{
	my (%conf) = @_;
	$node->adjust_conf('postgresql.conf', $_, $conf{$_}) for keys %conf;
	$node->reload;
	return;
}
$node->safe_psql('postgres', <<~'SQL');
	SELECT dbmazz.stop_pipeline('shop');
	CREATE PUBLICATION second FOR TABLE docs;
	SELECT dbmazz.create_pipeline('second', publication => 'second', slot => 'second', copy => false,
		settings => '{delete_mode=soft}');
	SQL
my $start = -s $node->logfile;
set_server('dbmazz.debug_point' => q('slot_created:wait'));
$target->wait_until('a reload', sub { slurp_file($node->logfile, $start) =~ /parameter "dbmazz.debug_point" changed/ });
query($node, q(SELECT dbmazz.start_pipeline('second')));
$target->wait_until('the slot', sub { slurp_file($node->logfile, $start) =~ /debug point "slot_created" was reached/ });
set_server('dbmazz.audit_columns' => 'off', 'dbmazz.debug_point' => q(''));
$node->wait_for_state('postgres', 'second', 'failed');
like(query($node, q(SELECT last_error FROM dbmazz.stat_pipeline WHERE name = 'second')),
	qr/delete_mode=soft needs audit_columns=on/, 'what takes effect is looked at');
set_server('dbmazz.audit_columns' => 'on');
$node->run_pipeline('postgres', 'second');
is(query($node, q(SELECT state FROM dbmazz.stat_pipeline WHERE name = 'second')), 'streaming', 'and it starts again');

$node->stop;
done_testing();
