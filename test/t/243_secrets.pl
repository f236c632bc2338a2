# The password is nowhere but where it was put: not in the server's log, whatever it
# logs, nor in views, tables, names of processes, or files of slots and statistics.

use strict;
use warnings;

use File::Find;
use MIME::Base64;
use PostgreSQL::Test::Utils;
use Test::More;

use dbmazz::Node;
use dbmazz::Sandbox;
use dbmazz::Stream;

# Passwords and their forms in a request; what the test itself tells the server
# about them is not logged.
my %secret = (right => 'Zq7-swordfish-Xw', wrong => 'Kd3-halibut-Vb', mapped => 'Zq7-swordfish-Xw', echoed => 'Pm5-mackerel-Rt');
my @traces = map { my $word = $_; ($word, map { encode_base64("$_:$word", '') } qw(etl other)) } sort values %secret;

my $quiet = join '', map { "SET $_;\n" } 'log_statement = none', 'log_min_messages = panic',
  'log_min_error_statement = panic', 'log_min_duration_statement = -1', 'debug_print_parse = off',
  'debug_print_rewritten = off', 'debug_print_plan = off', 'auto_explain.log_min_duration = -1';

my $target = dbmazz::Sandbox->new(args => [ '--user', "etl:$secret{right}" ]);
my $node = dbmazz::Node->start_new('main', sandbox => $target, database => 'shop', conf => <<~"CONF");
	dbmazz.starrocks_user = 'etl'
	dbmazz.starrocks_password = '$secret{right}'
	dbmazz.checkpoint_interval = 100
	dbmazz.flush_interval = 0
	dbmazz.retry_max_delay = 200
	dbmazz.restart_max_delay = 1000
	log_min_messages = debug5
	log_min_error_statement = debug5
	log_error_verbosity = verbose
	log_statement = all
	log_duration = on
	log_connections = on
	log_replication_commands = on
	log_parameter_max_length = -1
	log_parameter_max_length_on_error = -1
	debug_print_parse = on
	session_preload_libraries = 'auto_explain'
	auto_explain.log_min_duration = 0
	CONF

$target->sql('CREATE DATABASE shop');
query($node, <<~'SQL');
	CREATE TABLE orders (id int PRIMARY KEY, note text);
	CREATE TABLE other (id int PRIMARY KEY, note text);
	CREATE PUBLICATION dbmazz_pub FOR TABLE orders;
	CREATE PUBLICATION other FOR TABLE other;
	SQL
$node->create_target('postgres', $_, $target, 'shop') for qw(orders other);
query($node, $quiet . sprintf <<~'SQL', $target->url, $secret{mapped});
	CREATE SERVER fe FOREIGN DATA WRAPPER dbmazz OPTIONS (url '%s', database 'shop', redirect_ttl '0');
	CREATE USER MAPPING FOR CURRENT_USER SERVER fe OPTIONS (user 'etl', password '%s');
	SQL
query($node, sprintf <<~'SQL', $target->mysql_port);
	SELECT dbmazz.create_pipeline('shop', copy => false, settings => '{starrocks_mysql_address=127.0.0.1:%d}');
	SELECT dbmazz.create_pipeline('mapped', 'other', 'mapped', server => 'fe', copy => false);
	SQL
$node->run_pipeline('postgres', $_) for qw(shop mapped);

# ---- what goes well ------------------------------------------------------------------

query($node, q(INSERT INTO orders VALUES (1, 'a'); INSERT INTO other VALUES (1, 'a')));
query($node, q(TRUNCATE orders; INSERT INTO orders VALUES (2, 'b')));
$node->wait_for_target('postgres', $_) for qw(shop mapped);
is($target->count('shop', $_), 1, "rows of $_ arrive") for qw(orders other);

# ---- what fails ----------------------------------------------------------------------

my $row = 10;

# A change, and the error that it meets; returns when both are over.
sub fails
{
	my ($what, $pattern, $repair) = @_;
	$row++;
	query($node, "INSERT INTO orders VALUES ($row, 'c')");
	$node->poll_query_until('postgres', <<~"SQL") or die "$what: no error";
		SELECT concat_ws(' ', last_error, last_error_detail, last_error_hint) ~ '$pattern'
		FROM dbmazz.stat_pipeline WHERE name = 'shop'
		SQL
	pass("$what: an error that says so");
	look($what);
	$repair->();
	$node->wait_for_target('postgres', 'shop');
	return;
}

sub clear { return $target->clear_faults }

for my $fault (
	[ '401', 'injected 401', fault => 'fe_status', status => 401 ],
	[ '500', 'oops|500', fault => 'fe_status', status => 500, body => 'oops' ],
	[ 'no HTTP', 'request to StarRocks failed', fault => 'fe_garbage' ],
	[ 'cut', 'request to StarRocks failed', fault => 'be_cut', when => 'before_body' ],
	[ 'credentials in the redirect', 'not usable', fault => 'fe_location',
		location => "http://other:$secret{echoed}\@127.0.0.1:1/api/shop/orders/_stream_load" ],
	[ 'redirect to a file', 'not usable', fault => 'fe_location', location => 'file:///etc/passwd' ],
	[ 'redirect to nowhere', 'request to StarRocks failed', fault => 'fe_location',
		location => 'http://127.0.0.1:1/api/shop/orders/_stream_load' ],
	# a target, or a proxy, that shows the request in its answer
	[ 'an answer with the header', '400|bad request', fault => 'fe_status', status => 400,
		body => 'bad request: Authorization: Basic ' . encode_base64("etl:$secret{right}", '') ],
	[ 'an answer with the password', 'Access denied', fault => 'fail',
		message => "Access denied for user etl with password $secret{right}" ])
{
	my ($what, $pattern, %fault) = @$fault;
	$target->fault(%fault);
	fails($what, $pattern, \&clear);
}

# wrong passwords, at both ports
$node->append_conf('postgresql.conf', "dbmazz.starrocks_password = '$secret{wrong}'\n");
$node->reload;
fails('a wrong password', 'user or password|denied', sub {
	$node->append_conf('postgresql.conf', "dbmazz.starrocks_password = '$secret{right}'\n");
	$node->reload;
});
$target->fault(fault => 'mysql_error', code => 1045, message => "Access denied ($secret{right})");
query($node, 'TRUNCATE orders');
fails('a TRUNCATE that is refused', 'MySQL port|TRUNCATE', sub {
	clear();
	query($node, q(SELECT dbmazz.retry_batch('shop')));
});

# where there must not be one
for my $setting ("starrocks_url = 'http://etl:$secret{right}\@127.0.0.1:1'",
	"starrocks_be_address = 'etl:$secret{right}\@127.0.0.1'")
{
	$node->append_conf('postgresql.conf', "dbmazz.$setting\n");
	$node->reload;
	$node->adjust_conf('postgresql.conf', (split ' ', "dbmazz.$setting")[0], undef);
	$node->append_conf('postgresql.conf', sprintf "dbmazz.starrocks_url = '%s'\n", $target->url);
	$node->reload;
}
for my $statement (
	"SELECT dbmazz.alter_pipeline('shop', settings => '{starrocks_password=$secret{right}}')",
	"SELECT dbmazz.alter_pipeline('shop', settings => '{starrocks_url=http://etl:$secret{right}\@127.0.0.1:1}')",
	"CREATE SERVER bad FOREIGN DATA WRAPPER dbmazz OPTIONS (url 'http://etl:$secret{right}\@127.0.0.1:1')",
	"CREATE SERVER bad FOREIGN DATA WRAPPER dbmazz OPTIONS (password '$secret{right}')",
	"ALTER DATABASE postgres SET dbmazz.starrocks_password = '$secret{right}'",
	"ALTER USER MAPPING FOR CURRENT_USER SERVER fe OPTIONS (ADD passwort '$secret{right}')")
{
	my $errors = '';
	my $status = $node->psql('postgres', "\\set VERBOSITY verbose\n$quiet;\n$statement", stderr => \$errors, on_error_stop => 1);
	is($status, 3, 'refused: ' . ($statement =~ s/Zq7.*?(?=[}'@])/.../r));
	unlike($errors, qr/swordfish/, '... without saying it');
}

# ---- crashes -------------------------------------------------------------------------

# the settings above may have restarted it
my $pid = $target->wait_until('the shipper', sub { $node->worker_pid('shipper', 'shop') });
kill 'KILL', $pid;
$target->wait_until('the crash', sub { slurp_file($node->logfile) =~ /terminating any other active/ });
$node->poll_query_until('postgres', q(SELECT count(*) = 2 FROM dbmazz.stat_pipeline WHERE state = 'streaming'));
query($node, q(INSERT INTO orders VALUES (1000, 'z'); INSERT INTO other VALUES (1000, 'z')));
$node->wait_for_target('postgres', $_) for qw(shop mapped);
$node->restart;
$node->wait_for_state('postgres', $_, 'streaming') for qw(shop mapped);
query($node, q(INSERT INTO orders VALUES (1001, 'z')));
$node->wait_for_target('postgres', 'shop');
look('after crashes');

# ---- the log and the files -------------------------------------------------------------

$node->stop;
my $log = slurp_file($node->logfile);
like($log, qr/DEBUG:.*CommitTransaction/s, 'the log is a talkative one');
like($log, qr/dbmazz\.checkpoints/, '... and has statements of workers');
hides('the log', $log);
find({ no_chdir => 1, wanted => sub {
	my $file = $_;
	return unless -f $file;
	# where users and catalogs have it, and the WAL of these
	if ($file =~ m{/(base|global|pg_wal)$}) { $File::Find::prune = 1; return }
	return if $file =~ m{/(postgresql\.conf|base/.*|global/.*|pg_wal/.*)$};
	my $content = slurp_file($file);
	hides($file, $content) if grep { index($content, $_) >= 0 } @traces;
} }, $node->data_dir);

done_testing();

# ---- helpers ------------------------------------------------------------------------------

sub hides
{
	my ($what, $text) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my @found = grep { index($text, $_) >= 0 } @traces;
	ok(!@found, "$what: no password");
	diag(substr $text, (index($text, $_) > 300 ? index($text, $_) - 300 : 0), 400) for @found;
	return;
}

# All that SQL can see, and the names of processes.
sub look
{
	my ($when) = @_;
	my $tables = query($node, <<~'SQL');
		SELECT string_agg(format('SELECT %L, t::text FROM %s t', c.oid::regclass, c.oid::regclass), ' UNION ALL ')
		FROM pg_class c WHERE relnamespace = 'dbmazz'::regnamespace AND relkind IN ('r', 'v')
			OR c.oid = ANY ('{pg_stat_activity,pg_settings,pg_replication_slots,pg_stat_replication_slots,pg_locks,
				pg_db_role_setting,pg_foreign_server,pg_prepared_statements,pg_shmem_allocations,
				pg_backend_memory_contexts}'::regclass[])
		SQL
	my $text = query($node, $tables);
	my $pids = query($node, 'SELECT pid FROM pg_stat_activity');
	for my $process (split /\n/, $pids)
	{
		$text .= slurp_file("/proc/$process/cmdline") if -r "/proc/$process/cmdline";
	}
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return hides("views and tables ($when)", $text);
}
