package org.apache.beam.runners.jobsubmission;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.beam.model.pipeline.v1.RunnerApi;
import org.apache.beam.vendor.grpc.v1p60p1.com.google.protobuf.Message;
import org.apache.beam.vendor.grpc.v1p60p1.com.google.protobuf.Struct;
import org.apache.beam.vendor.grpc.v1p60p1.com.google.protobuf.util.JsonFormat;

/** Reads what Beam's Python SDK has put into the jar that it submits (UberJarBeamJob). */
public final class PortablePipelineJarUtils {
  private static final String FOLDER = "BEAM-PIPELINE";
  private static final Pattern DEFAULT_JOB = Pattern.compile("\"defaultJobName\"\\s*:\\s*\"([^\"]+)\"");

  private PortablePipelineJarUtils() {}

  public static String getDefaultJobName() throws IOException {
    Matcher matcher = DEFAULT_JOB.matcher(read(FOLDER + "/pipeline-manifest.json"));
    return matcher.find() ? matcher.group(1) : null;
  }

  public static RunnerApi.Pipeline getPipelineFromClasspath(String jobName) throws IOException {
    RunnerApi.Pipeline.Builder builder = RunnerApi.Pipeline.newBuilder();
    merge(FOLDER + "/" + jobName + "/pipeline.json", builder);
    return builder.build();
  }

  public static Struct getPipelineOptionsFromClasspath(String jobName) throws IOException {
    Struct.Builder builder = Struct.newBuilder();
    merge(FOLDER + "/" + jobName + "/pipeline-options.json", builder);
    return builder.build();
  }

  private static void merge(String path, Message.Builder builder) throws IOException {
    JsonFormat.parser().ignoringUnknownFields().merge(read(path), builder);
  }

  private static String read(String path) throws IOException {
    try (InputStream stream = Thread.currentThread().getContextClassLoader().getResourceAsStream(path)) {
      if (stream == null) {
        throw new IOException("The jar has no " + path);
      }
      return new String(stream.readAllBytes(), StandardCharsets.UTF_8);
    }
  }
}
