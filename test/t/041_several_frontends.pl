# Several addresses of frontends, of which some are dead; passwords that are wrong.

use strict;
use warnings;

use IO::Socket::INET;
use Test::More;

use dbmazz::Stream;

# A port on which nobody listens, as long as this socket is bound.
my $dead = IO::Socket::INET->new(Proto => 'tcp', LocalAddr => '127.0.0.1');
my $port = $dead->sockport;

my ($node, $target) = start_stream(
	sandbox => [ '--user', 'etl:s3cret' ],
	sql => 'CREATE TABLE orders (id int PRIMARY KEY, note text)',
	publication => 'TABLE orders',
	run => 0,
	settings => ['flush_interval=0']);

$node->append_conf('postgresql.conf',
	sprintf "dbmazz.starrocks_url = 'http://127.0.0.1:%d,%s'\ndbmazz.starrocks_user = 'etl'\ndbmazz.starrocks_password = 'wrong'\n",
	$port, $target->url);
$node->reload;
$node->create_target('postgres', 'orders', $target, 'shop');

# ---- a wrong password --------------------------------------------------------------

$node->run_pipeline('postgres', 'shop');
query($node, q(INSERT INTO orders VALUES (1, 'a')));
$node->wait_for_state('postgres', 'shop', 'retrying');
ok($node->poll_query_until('postgres',
		q(SELECT last_error ~* 'password|denied|401|auth' FROM dbmazz.stat_pipeline)),
	'a refused password is shown');
is($target->count('shop', 'orders'), 0, 'nothing was loaded');

# Repaired in the server's configuration, while it runs.
$node->append_conf('postgresql.conf', "dbmazz.starrocks_password = 's3cret'\n");
$node->reload;
same_rows($node, $target, 'orders');
$node->wait_for_state('postgres', 'shop', 'streaming');
my $log = PostgreSQL::Test::Utils::slurp_file($node->logfile);
unlike($log, qr/s3cret/, 'the password is not in the log');
is(query($node, q(SELECT count(*) FROM dbmazz.pipelines p, dbmazz.stat_pipeline s
	WHERE (p::text || s::text) ~ 's3cret')), 0, 'nor in the views');

# ---- a dead frontend --------------------------------------------------------------

query($node, q(INSERT INTO orders SELECT i, 'b' FROM generate_series(2, 100) i));
same_rows($node, $target, 'orders');
my $before = query($node, 'SELECT retries FROM dbmazz.stat_pipeline');
query($node, "UPDATE orders SET note = note || $_") for 1 .. 10;
same_rows($node, $target, 'orders');
cmp_ok(query($node, 'SELECT retries FROM dbmazz.stat_pipeline') - $before, '<=', 10,
	'not every load begins at the dead one');

# ---- a server made by CREATE SERVER -----------------------------------------------

my $url = $target->url;
query($node, <<~"SQL");
	CREATE TABLE other (id int PRIMARY KEY, note text);
	CREATE PUBLICATION other FOR TABLE other;
	CREATE SERVER fe FOREIGN DATA WRAPPER dbmazz
		OPTIONS (sink 'starrocks', url 'http://127.0.0.1:$port,$url', database 'shop');
	CREATE USER MAPPING FOR CURRENT_USER SERVER fe OPTIONS (user 'etl', password 's3cret');
	SELECT dbmazz.create_pipeline('other', publication => 'other', slot => 'other',
		server => 'fe', copy => false, settings => '{flush_interval=0}');
	SQL
$node->create_target('postgres', 'other', $target, 'shop');
$node->run_pipeline('postgres', 'other');
query($node, q(INSERT INTO other SELECT i, 'x' FROM generate_series(1, 10) i));
$node->wait_for_target('postgres', 'other');
dbmazz::Compare::rows_equal($node, 'postgres', 'other', $target, 'shop.other');

$node->stop;
done_testing();
