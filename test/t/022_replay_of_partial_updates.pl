# After a crash partial updates are sent again, to rows that the target has deleted
# since.  The server makes a row of them, with what it takes for columns that are
# NOT NULL and have no default; the delete that follows takes it away again.

use strict;
use warnings;

use Test::More;

use dbmazz::Stream;

my ($node, $target) = start_stream(
	sql => <<~'SQL',
		CREATE FUNCTION large(i int) RETURNS text LANGUAGE sql
			AS $$SELECT string_agg(md5(i::text || k), '') FROM generate_series(1, 100) k$$;
		CREATE TABLE docs (id int PRIMARY KEY, title text NOT NULL, body text NOT NULL,
			n int NOT NULL, at timestamptz NOT NULL, ok boolean NOT NULL, day date NOT NULL);
		ALTER TABLE docs ALTER body SET STORAGE EXTERNAL;
		SQL
	tables => ['docs'],
	conf => "dbmazz.checkpoint_interval = '1h'\n",
	settings => ['flush_interval=0']);

sub partial_loads
{
	return grep { ($_->{headers}{partial_update} // '') eq 'true' } $target->loads(table => 'docs');
}

my $row = q('t', large(i), i, now(), true, current_date);
query($node, "INSERT INTO docs SELECT i, $row FROM generate_series(1, 20) i");
arrived($node);
restart_stream($node);    # writes the checkpoint; from here on all is sent again
query($node, 'UPDATE docs SET n = n + 1 WHERE id <= 10');
arrived($node);
query($node, 'DELETE FROM docs WHERE id IN (1, 2, 3)');
query($node, 'UPDATE docs SET id = 104, n = 0 WHERE id = 4');
query($node, "INSERT INTO docs SELECT i, $row FROM generate_series(2, 2) i");
query($node, q(UPDATE docs SET title = 'again' WHERE id IN (2, 5)));
query($node, 'DELETE FROM docs WHERE id = 5');
arrived($node);
is($target->sql('SELECT count(*) FROM docs WHERE id IN (1, 3, 4, 5)', 'shop'), 0, 'rows are gone');

for my $round (1, 2)
{
	$target->clear_loads;
	$node->stop('immediate');
	$node->start;
	$node->wait_for_state('postgres', 'shop', 'streaming');
	same_rows($node, $target, 'docs');
	cmp_ok(scalar partial_loads(), '>', 0, 'partial updates were sent again to rows that are gone');
}

# What the server makes of it, while the delete that follows is held.
$target->clear_loads;
$target->fault(fault => 'hold', table => '^docs$', skip => 1, count => 1);
$node->stop('immediate');
$node->start;
$target->wait_until('a load that is held', sub { scalar $target->held });
is($target->sql(q(SELECT id, title, body = '', n FROM docs WHERE id = 1), 'shop'), '1|t|1|2',
	'a row with what stands for the missing value');
$target->release;
$node->wait_for_state('postgres', 'shop', 'streaming');
same_rows($node, $target, 'docs');

$node->stop;
done_testing();
