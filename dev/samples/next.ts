/** What `npm start` tells the reader to try, as commands to copy. */
export interface Started {
  databaseUrl: string;
  amqpUrl: string;
  /** Of the worker's metrics. */
  port: number | undefined;
  sources: string;
  /** Passwords by user. */
  switchPassword: string;
  operatorPassword: string;
}

export function whatNext(started: Started): string {
  const { databaseUrl, amqpUrl, port, sources, switchPassword, operatorPassword } = started;
  return `
The worker keeps consuming. Ctrl-C stops it and removes both servers. In another terminal:

  export DATABASE_URL='${databaseUrl}'
  export AMQP_URL='${amqpUrl}'

As a switch:

  export CDR_USERNAME=switch CDR_PASSWORD='${switchPassword}'
  node dist/cli.js publish dev/samples/more.jsonl     # three more calls, one of them wrong
  export SOURCES_FILE=${sources}         # a feed of FreeSWITCH; of others: docs/connect
  node dist/cli.js source test dev/samples/freeswitch.jsonl                   # what FreeSWITCH's events become
  node dist/cli.js publish --source fs-ams-1 dev/samples/freeswitch.jsonl     # sends them as FreeSWITCH does

As the operator who is told that calls are missing (docs/dead-letters.md):

  export CDR_USERNAME=operator CDR_PASSWORD='${operatorPassword}'
  node dist/cli.js dead list --status dead --group-by problem                 # what was refused, and the money at stake
  node dist/cli.js dead list --status dead --reason rejected                  # one by one
  node dist/cli.js dead show 1                                                # one call, and what can be done
  node dist/cli.js dead replay --key cots --rename cots=cost --why "misspelt" --dry-run   # what would become of it
  node dist/cli.js dead replay --key cots --rename cots=cost --why "misspelt"             # corrects, sends again, charges
  node dist/cli.js console                                                    # the same in a browser: http://127.0.0.1:8081
                                                                              # sign in as operator, with the password above

And what a monitoring sees:

  curl http://127.0.0.1:${port}/metrics                  # also /livez and /readyz
  psql "$DATABASE_URL" -c 'select id, reason, uniqueid, responses from dead_letters'`;
}
