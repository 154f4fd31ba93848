# A virtual machine with compilers of its own: code that comes and goes, faults that are part of it, threads, a collector.
# needs: java javac
# long
cat > Program.java <<'PROGRAM'
import java.math.BigInteger;
import java.net.ServerSocket;
import java.net.Socket;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.TreeMap;
import java.util.concurrent.Executors;
import java.util.stream.IntStream;

public class Program {
    interface Shape { double area(); }
    record Square(double side) implements Shape { public double area() { return side * side; } }
    record Circle(double radius) implements Shape { public double area() { return 3 * radius * radius; } }

    static int deep(int n) { return n == 0 ? 0 : 1 + deep(n - 1); }

    static long fold(long hash, int turns) {
        for (int i = 0; i < turns; i++) hash = hash * 31 + (hash >>> 7 ^ i);
        return hash;
    }

    public static void main(String[] arguments) throws Exception {
        System.out.println(fold(1, 20_000_000));
        double total = 0;
        for (int i = 0; i < 200_000; i++) total += (i % 3 == 0 ? new Circle(i) : new Square(i)).area();
        System.out.println(total);
        int caught = 0;
        for (int i = 0; i < 20_000; i++) {
            try {
                Object nothing = i % 2 == 0 ? null : "x";
                caught += nothing.hashCode() & 1;
                caught += new int[1][i % 3].length;
            } catch (NullPointerException | ArrayIndexOutOfBoundsException expected) {
                caught++;
            }
        }
        System.out.println(caught);
        try {
            System.out.println(deep(Integer.MAX_VALUE));
        } catch (StackOverflowError expected) {
            System.out.println("too deep");
        }
        var pool = Executors.newFixedThreadPool(3);
        var results = new ArrayList<java.util.concurrent.Future<Long>>();
        for (int i = 0; i < 12; i++) {
            final int seed = i;
            results.add(pool.submit(() -> fold(seed, 500_000)));
        }
        long sum = 0;
        for (var result : results) sum += result.get();
        pool.shutdown();
        System.out.println(sum);
        var words = new TreeMap<String, Integer>();
        for (int i = 0; i < 100_000; i++) words.merge("w" + fold(i, 3) % 100, 1, Integer::sum);
        System.out.println(words.firstEntry() + " " + words.size());
        System.out.println(BigInteger.TWO.pow(3000).mod(BigInteger.valueOf(1_000_003)));
        byte[] digest = MessageDigest.getInstance("SHA-256").digest(new byte[1 << 20]);
        System.out.println(new BigInteger(1, digest).toString(16));
        System.out.println(IntStream.range(0, 100_000).parallel().mapToLong(i -> i % 7).sum());
        try (var server = new ServerSocket(0)) {
            var client = new Thread(() -> {
                try (var socket = new Socket("127.0.0.1", server.getLocalPort())) {
                    socket.getOutputStream().write("hello".getBytes());
                } catch (java.io.IOException error) {
                    System.out.println(error);
                }
            });
            client.start();
            System.out.println(new String(server.accept().getInputStream().readAllBytes()));
            client.join();
        }
        for (int i = 0; i < 2000; i++) words.put("x" + i, new byte[100_000].length);
        System.gc();
        System.exit(words.size() % 256);
    }
}
PROGRAM
javac Program.java && java -Xmx256m Program
echo "status $?"
