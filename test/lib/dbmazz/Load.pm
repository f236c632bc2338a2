# Load.pm - changes of all kinds, made by several sessions while a test breaks things
#
#   use dbmazz::Load;
#   my $node = loaded_node('main', $sandbox);     # tables, targets, pipeline "p", streaming
#   my $load = start_load($node);
#   ...                                           # kill this, cut that
#   stop_load($load);
#   all_rows_equal($node, $sandbox);
#
# Two tables: accounts (narrow; inserts, updates, deletes, changes of the key,
# many rows in a transaction) and docs (wide values, kept out of line, that most
# updates leave alone).  The sessions use random numbers: what a test itself
# does at random it takes from random_seconds(), whose seed is in the output.

package dbmazz::Load;

use strict;
use warnings;

use Exporter 'import';
use IPC::Run ();
use PostgreSQL::Test::Utils ();
use Test::More;

use dbmazz::Compare;
use dbmazz::Node;

our @EXPORT = qw(loaded_node make_tables settle_settings start_load stop_load churn
  all_rows_equal use_seed random_seconds pause wait_until workers_of wait_for_workers
  crash_postmaster break_at
  slot_within_row crash_at clear_breaks epoch_of);

# Small batches, so that transactions are cut; quick retries and checkpoints.
my $settings = <<~'CONF';
	dbmazz.flush_interval = 10ms
	dbmazz.batch_max_rows = 100
	dbmazz.checkpoint_interval = 50ms
	dbmazz.retry_min_delay = 20ms
	dbmazz.retry_max_delay = 300ms
	dbmazz.restart_max_delay = 1s
	deadlock_timeout = 20ms
	dbmazz.debug_point = ''
	CONF

sub settle_settings { return $settings }

my $tables = <<~'SQL';
	CREATE TABLE accounts (id int PRIMARY KEY, n bigint NOT NULL, note text);
	CREATE TABLE docs (id int, part int, body text, n int NOT NULL, PRIMARY KEY (id, part));
	ALTER TABLE docs ALTER body SET STORAGE EXTERNAL;
	CREATE PUBLICATION dbmazz_pub FOR TABLE accounts, docs;

	-- one to four statements of all kinds in one transaction
	CREATE FUNCTION churn() RETURNS void LANGUAGE plpgsql AS $$
	DECLARE
		a int;
	BEGIN
		FOR k IN 1 .. 1 + (random() * 3)::int LOOP
			a := 1 + (random() * 300)::int;
			BEGIN
				CASE (random() * 10)::int
				WHEN 0 THEN
					DELETE FROM accounts WHERE id BETWEEN a AND a + 3;
				WHEN 1 THEN
					UPDATE accounts SET id = id + 1000 WHERE id BETWEEN a AND a + 1;
				WHEN 2 THEN
					UPDATE accounts SET id = id - 1000 WHERE id BETWEEN a + 1000 AND a + 1001;
				WHEN 3 THEN
					UPDATE accounts SET n = n + 1 WHERE id BETWEEN a AND a + 150;
				WHEN 4 THEN
					INSERT INTO docs SELECT a, g, repeat(md5(random()::text), 80), 0
					FROM generate_series(1, 2) g
					ON CONFLICT (id, part) DO UPDATE SET body = excluded.body, n = docs.n + 1;
				WHEN 5, 6 THEN
					UPDATE docs SET n = n + 1 WHERE id BETWEEN a AND a + 15;
				WHEN 7 THEN
					DELETE FROM docs WHERE id = a;
				ELSE
					INSERT INTO accounts SELECT g, 0, md5(random()::text)
					FROM generate_series(a, a + 6) g
					ON CONFLICT (id) DO UPDATE SET n = accounts.n + 1, note = excluded.note;
				END CASE;
			EXCEPTION WHEN unique_violation OR deadlock_detected THEN
				NULL;
			END;
		END LOOP;
	END $$;
	SQL

sub make_tables
{
	my ($node, $sandbox) = @_;
	$node->safe_psql('postgres', $tables);
	$node->create_target('postgres', "public.$_", $sandbox, 'shop') for qw(accounts docs);
	return;
}

# A server with the tables, their targets and a streaming pipeline "p".
sub loaded_node
{
	my ($name, $sandbox, %options) = @_;
	my $node = dbmazz::Node->start_new($name, sandbox => $sandbox, database => 'shop',
		install_path => $options{install_path}, conf => $settings . ($options{conf} // ''));
	make_tables($node, $sandbox);
	$node->safe_psql('postgres', q(SELECT dbmazz.create_pipeline('p', copy => false)));
	$node->run_pipeline('postgres', 'p');
	churn($node, 30);
	return $node;
}

# A number of transactions, here and now.
sub churn
{
	my ($node, $count) = @_;
	$node->safe_psql('postgres', "DO 'BEGIN FOR i IN 1 .. $count LOOP PERFORM churn(); COMMIT; END LOOP; END'");
	return;
}

# Sessions that make changes until they are stopped, have done their share, or
# lose the server.
sub start_load
{
	my ($node, %options) = @_;
	my $script = PostgreSQL::Test::Utils::tempdir() . '/churn.sql';
	my ($out, $err) = ('', '');
	PostgreSQL::Test::Utils::append_to_file($script, "SELECT churn();\n");
	return IPC::Run::start(
		[
			'pgbench', '-n', '-f', $script,
			'-c', $options{clients} // 3,
			'-R', $options{rate} // 40,
			'-t', $options{transactions} // 20000,
			'-h', $node->host, '-p', $node->port, '-U', 'postgres', 'postgres'
		],
		'<', \undef, '>', \$out, '2>', \$err);
}

sub stop_load
{
	my ($load) = @_;
	$load->kill_kill(grace => 5);
	return;
}

# The last word of a test: the target has what the source has.
sub all_rows_equal
{
	my ($node, $sandbox, $when) = @_;
	my $after = $when ? " $when" : '';
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$node->wait_for_target('postgres', 'p');
	my $equal = 1;
	for my $table (qw(accounts docs))
	{
		$equal &= rows_equal($node, 'postgres', "public.$table", $sandbox, "shop.$table",
			name => "$table: source = target$after") ? 1 : 0;
	}
	return $equal;
}

# ---- chance and waiting ------------------------------------------------------

sub use_seed
{
	my $seed = $ENV{DBMAZZ_TEST_SEED} // (time ^ $$);
	srand $seed;
	diag("DBMAZZ_TEST_SEED=$seed");
	return;
}

sub pause { my ($seconds) = @_; select undef, undef, undef, $seconds; return }

# How long a moment lasts is the test's input here, not a wait for anything.
sub random_seconds { my ($most) = @_; pause(rand $most); return }

# Wait until code returns true; dies after the time limit.
sub wait_until
{
	my ($what, $code, $limit) = @_;
	my $deadline = time + ($limit // $PostgreSQL::Test::Utils::timeout_default);
	my $result;
	until ($result = $code->())
	{
		die "timed out waiting for $what" if time > $deadline;
		pause(0.05);
	}
	return $result;
}

# ---- processes ---------------------------------------------------------------

# decoder, shipper and epoch of the pipeline; '' or 0 where there is none
sub workers_of
{
	my ($node) = @_;
	my ($ret, $out) = $node->psql('postgres',
		q(SELECT decoder_pid, shipper_pid, epoch, state FROM dbmazz.stat_pipeline WHERE name = 'p'));
	return ('', '', 0, '') if $ret != 0;
	return split /\|/, $out, -1;
}

sub epoch_of { return (workers_of($_[0]))[2] || 0 }

# Wait until both workers of a later epoch stream; returns them and the epoch.
sub wait_for_workers
{
	my ($node, $epoch) = @_;
	my @found;
	wait_until("workers of an epoch after $epoch", sub {
		@found = workers_of($node);
		return $found[0] && $found[1] && $found[2] > $epoch && $found[3] =~ /streaming|retrying/;
	});
	return @found;
}

# Kill the postmaster, wait until its children are gone too; the name of its pid
# file stays behind, as after a real crash.
sub crash_postmaster
{
	my ($node) = @_;
	my $pid = $node->{_pid};
	my $directory = $node->data_dir;
	kill 'KILL', $pid;
	$node->{_pid} = undef;
	wait_until('the postmaster and its children to leave', sub {
		return !kill(0, $pid) && !grep { (readlink($_) // '') eq $directory } glob '/proc/[0-9]*/cwd';
	});
	return;
}

# Is the slot at or behind the row of the checkpoint?  The row is locked, so that
# it does not move on between the two looks.  Returns the answer and a text.
sub slot_within_row
{
	my ($node) = @_;
	return split /\|/, $node->safe_psql('postgres', <<~'SQL');
		BEGIN;
		SELECT lsn FROM dbmazz.checkpoints FOR UPDATE \gset
		SELECT confirmed_flush_lsn <= :'lsn'::pg_lsn, confirmed_flush_lsn || ' <= ' || :'lsn'
		FROM pg_replication_slots;
		COMMIT;
		SQL
}

# Run code with a worker set to be killed at a point, in a server that does not
# start again by itself (restart_after_crash = off); it is down afterwards.
sub crash_at
{
	my ($node, $point, $code) = @_;
	my $pid = $node->{_pid};
	break_at($node, $point, 'kill');
	$code->();
	wait_until("a crash at $point", sub { !kill 0, $pid });
	$node->{_pid} = undef;
	clear_breaks($node);
	return;
}

# Break at a point: break_at($node, 'batch_sealed', 'kill').  The setting lies in
# the main file, which can be changed while the server recovers.
my $breaks = 0;

sub break_at
{
	my ($node, $point, $action) = @_;
	$breaks++;
	_set_break($node, "$point:$action:$breaks");
	return;
}

sub clear_breaks { my ($node) = @_; _set_break($node, ''); return }

# The workers have it when the decoder has been through its loop once more.
sub _set_break
{
	my ($node, $value) = @_;
	my $start = -s $node->logfile;
	$node->adjust_conf('postgresql.conf', 'dbmazz.debug_point', "'$value'");
	return unless $node->{_pid};
	kill 'HUP', $node->{_pid};
	wait_until('a reload', sub {
		PostgreSQL::Test::Utils::slurp_file($node->logfile, $start) =~ /received SIGHUP/;
	});
	$node->psql('postgres', <<~'SQL');
		SELECT pg_logical_emit_message(false, 'test', 'reload');
		SELECT dbmazz.wait_for('p', pg_current_wal_insert_lsn(), '1s');
		SQL
	return;
}

1;
