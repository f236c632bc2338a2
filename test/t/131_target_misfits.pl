# Targets that hold less than the source: found before a row is sent where the
# target's schema tells, else from its answer.  The error's statement repairs it.

use strict;
use warnings;

use Test::More;

use dbmazz::Stream;

my ($node, $target) = start_stream(
	sql => <<~'SQL',
		CREATE TABLE prices (id int PRIMARY KEY, p numeric(10,2), n int, note text);
		CREATE TABLE codes (code text PRIMARY KEY, n int);
		CREATE TABLE "Twins" (id int PRIMARY KEY, a text, "A" text);
		CREATE TABLE others (id int PRIMARY KEY);
		SQL
	tables => [qw(codes others)],
	publication => 'TABLE prices, codes, "Twins", others',
	settings => ['flush_interval=0'],
	run => 0);

# What the hint says, in the target; then the table goes on.
sub repair
{
	my ($why, $what) = @_;
	my ($statement) = $why =~ /run in StarRocks: ($what .*?;)/is;
	ok($statement, "the hint has a statement: $what") or diag($why);
	restart_stream($node, sub { $target->sql($statement // 'SELECT 1', 'shop') });
	same_rows($node, $target, qw(prices others));
	return;
}

$target->sql(<<~'SQL', 'shop');
	CREATE TABLE prices (id INT NOT NULL, p DECIMAL(10,1) NULL, n INT NOT NULL, note VARCHAR(10) NULL)
	PRIMARY KEY (id) DISTRIBUTED BY HASH (id)
	SQL
$target->sql('CREATE TABLE `Twins` (id INT NOT NULL, a STRING NULL) PRIMARY KEY (id)', 'shop');
$node->run_pipeline('postgres', 'shop');

# ---- what StarRocks would not complain about ------------------------------------------

query($node, q(INSERT INTO prices VALUES (1, 1.25, 1, 'a'); INSERT INTO others VALUES (1)));
my $why = wait_for_stop($node, 'prices');
like($why, qr/column "p" of target table "prices" would change values/, 'digits that would be rounded');
is($target->count('shop', 'prices'), 0, 'no row was sent');
same_rows($node, $target, 'others');
repair($why, 'ALTER TABLE');

# ---- what it refuses ---------------------------------------------------------------------

query($node, q(INSERT INTO prices VALUES (2, 2, 2, 'b'), (3, 3, NULL, 'c'); INSERT INTO others VALUES (2)));
$why = wait_for_stop($node, 'prices');
like($why, qr/Row with key \(id\)=\(3\): .*non-nullable column 'n'/, 'NULL: row and column');
same_rows($node, $target, 'others');
repair($why, 'ALTER TABLE');

query($node, q(UPDATE prices SET note = repeat('x', 100) WHERE id = 2));
$why = wait_for_stop($node, 'prices');
like($why, qr/Row with key \(id\)=\(2\): .*too long.*'note'/, 'a long text: row and column');
repair($why, 'ALTER TABLE');

# ---- keys and names --------------------------------------------------------------------------

query($node, q(INSERT INTO codes VALUES (repeat('x', 120), 1), ('y', 2)));
same_rows($node, $target, 'codes');
query($node, q(INSERT INTO codes VALUES (repeat('x', 129), 1)));
$why = wait_for_stop($node, 'codes');
like($why, qr/primary key size exceed.*128 bytes.*new pipeline only/s, 'a long key');

query($node, q(INSERT INTO "Twins" VALUES (1, 'a', 'b')));
$why = wait_for_stop($node, 'Twins');
like($why, qr/columns "a" and "A" of table "Twins" are one in StarRocks/, 'names that are one there');
like($why, qr/Rename one of them.*drop the pipeline/s, 'what helps is not for this pipeline');
isnt(scalar $node->psql('postgres', q(SELECT dbmazz.target_ddl('"Twins"'))), 0, 'target_ddl says so too');

query($node, q(INSERT INTO prices VALUES (4, 4.44, NULL, repeat('y', 50)); INSERT INTO others VALUES (3)));
same_rows($node, $target, qw(prices others));
is(stopped_tables($node), 'Twins codes', 'others go on');

$node->stop;
done_testing();
