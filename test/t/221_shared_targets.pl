# Tables that get the target of another one while the pipeline runs: rows of two
# tables are never merged, and none stops because of one that is not there any more.

use strict;
use warnings;

use Test::More;

use dbmazz::Stream;

my @names = qw(pair kept moved archived late fresh);
my ($node, $target) = start_stream(
	sql => join('', 'CREATE SCHEMA e; CREATE SCHEMA f; CREATE SCHEMA attic;',
		map { "CREATE TABLE e.$_ (id int PRIMARY KEY, v text);" } @names),
	tables => [ map { "e.$_" } @names ],
	publication => 'TABLES IN SCHEMA e, f',
	conf => "dbmazz.restart_max_delay = 1s\n",
	settings => ['flush_interval=0']);

sub ids
{
	my ($table) = @_;
	return $target->sql("SELECT id FROM $table ORDER BY id", 'shop');
}

query($node, join '', map { "INSERT INTO e.$_ VALUES (1, 'e');" } @names);
arrived($node);

# ---- what is no collision ----------------------------------------------------------

query($node, <<~'SQL');
	BEGIN;
	UPDATE e.fresh SET v = 'before';
	DROP TABLE e.fresh;
	CREATE TABLE f.fresh (id int PRIMARY KEY, v text);
	INSERT INTO f.fresh VALUES (2, 'f');
	COMMIT;
	SQL
arrived($node);
is(ids('fresh'), "1\n2", 'one was dropped where the other was made, in one transaction');
query($node, <<~'SQL');
	BEGIN;
	INSERT INTO f.fresh VALUES (3, 'f');
	DROP TABLE f.fresh;
	CREATE TABLE f.fresh (id int PRIMARY KEY, v text);
	INSERT INTO f.fresh VALUES (4, 'f');
	COMMIT;
	SQL
arrived($node);
is(ids('fresh'), "1\n2\n3\n4", 'a table was made again in one transaction');
query($node, <<~'SQL');
	ALTER TABLE e.archived SET SCHEMA attic;
	CREATE TABLE e.archived (id int PRIMARY KEY, v text);
	INSERT INTO e.archived VALUES (2, 'new');
	INSERT INTO attic.archived VALUES (3, 'not published');
	SQL
arrived($node);
is(ids('archived'), "1\n2", 'a table that is not published any more is none');
is(stopped_tables($node), '', 'no table has stopped');

# ---- what is -----------------------------------------------------------------------

# The other table is newer than what the long transaction's catalogs know.
{
	my $session = $node->background_psql('postgres');
	$session->query_safe(q(BEGIN; INSERT INTO e.pair VALUES (10, 'long')));
	# catalogs of then, in any case
	$session->query_safe(q(SELECT pg_current_xact_id()));
	query($node, q(CREATE TABLE f.pair (id int PRIMARY KEY, v text); INSERT INTO f.pair VALUES (20, 'f')));
	like(wait_for_stop($node, 'pair'), qr/same target/, 'one that is made later stops');
	$session->query_safe('COMMIT');
	$session->quit;
	arrived($node);
	is(ids('pair'), '1', 'and no row is merged');
}

# Only the one that is there sends rows, but the name has belonged to the other.
query($node, <<~'SQL');
	ALTER TABLE e.moved SET SCHEMA f;
	CREATE TABLE e.moved (id int PRIMARY KEY, v text);
	INSERT INTO e.moved VALUES (2, 'new');
	SQL
like(wait_for_stop($node, 'moved'), qr/same target/, 'one that has moved away keeps its target');
is(ids('moved'), '1', 'and no row is merged');

# The first table was described in an earlier life.
my $pid = $node->worker_pid('decoder');
query($node, "SELECT pg_terminate_backend($pid)");
$node->poll_query_until('postgres',
	"SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'dbmazz decoder' AND pid <> $pid") or die 'no decoder';
$node->wait_for_state('postgres', 'shop', 'streaming');
query($node, q(CREATE TABLE f.late (id int PRIMARY KEY, v text); INSERT INTO f.late VALUES (2, 'f')));
like(wait_for_stop($node, 'late'), qr/same target/, 'also where the other one has not yet sent a row in this life');
is(ids('late'), '1', 'and no row is merged');

query($node, q(INSERT INTO e.kept VALUES (2, 'on')));
arrived($node);
is(ids('kept'), "1\n2", 'others go on');
is(stopped_tables($node), 'late moved pair', 'and nothing else has stopped');

# ---- the newer one first -------------------------------------------------------------

# Here the long transaction's table is the one that no description is known of.
{
	my $session = $node->background_psql('postgres');
	query($node, 'CREATE TABLE e.twin (id int PRIMARY KEY, v text)');
	$node->create_target('postgres', 'e.twin', $target, 'shop');
	$session->query_safe(q(BEGIN; INSERT INTO e.twin VALUES (10, 'long')));
	query($node, q(CREATE TABLE f.twin (id int PRIMARY KEY, v text); INSERT INTO f.twin VALUES (20, 'f')));
	arrived($node);
	is(ids('twin'), '20', 'the only one that has sent rows');
	$session->query_safe('COMMIT');
	$session->quit;
	like(wait_for_stop($node, 'twin'), qr/same target/, 'a change from before the other table was made');
	is(ids('twin'), '20', 'and no row is merged');
}

$node->stop;
done_testing();
