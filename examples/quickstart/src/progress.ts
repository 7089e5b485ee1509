/** Shows progress on one line of a terminal; elsewhere it prints a line per quarter. */
export function progress(total: number): (done: number, note: string) => void {
  let quarter = 0;
  return (done, note) => {
    const line = `${String(done).padStart(String(total).length)} of ${total} delivered   ${note}`;
    if (process.stdout.isTTY) {
      const filled = Math.round((done / total) * 30);
      process.stdout.write(
        `\r\x1b[2K  ${'█'.repeat(filled)}${'░'.repeat(30 - filled)}  ${line}${done === total ? '\n' : ''}`,
      );
    } else if (Math.floor((done / total) * 4) > quarter) {
      quarter = Math.floor((done / total) * 4);
      console.log(`  ${line}`);
    }
  };
}
